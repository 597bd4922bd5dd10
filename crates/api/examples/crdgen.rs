//! Writes the CustomResourceDefinitions into the folder that is its argument, one YAML file each, and beside them the
//! schema that Kustomize merges by.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: crdgen FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    for definition in serin_api::crd::all() {
        let plural =
            definition["spec"]["names"]["plural"].as_str().ok_or("a definition without plural")?.to_owned();
        let text = serde_yaml::to_string(&definition)?;
        std::fs::write(folder.join(format!("{plural}.yaml")), text)?;
    }
    let merging = serde_json::to_string_pretty(&serin_api::kustomize::openapi())?;
    std::fs::write(folder.join("kustomize-openapi.json"), merging + "\n")?;
    Ok(())
}
