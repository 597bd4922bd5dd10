//! Writes the CustomResourceDefinitions into the folder that is its first argument, one YAML file each, and into the file
//! that is its second one, if any, the schema by which Kustomize merges lists.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: crdgen FOLDER [SCHEMA]")?);
    std::fs::create_dir_all(&folder)?;
    for definition in serin_api::crd::all() {
        let plural =
            definition["spec"]["names"]["plural"].as_str().ok_or("a definition without plural")?.to_owned();
        let text = serde_yaml::to_string(&definition)?;
        std::fs::write(folder.join(format!("{plural}.yaml")), text)?;
    }
    if let Some(merging) = std::env::args().nth(2) {
        let schema = serde_json::to_string_pretty(&serin_api::kustomize::openapi())?;
        std::fs::write(
            merging,
            schema
                + "
",
        )?;
    }
    Ok(())
}
