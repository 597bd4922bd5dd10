//! Serves the pages, which lie in the binary: no build step, nothing from elsewhere.

use std::sync::Arc;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name below `assets/`, content type and content.
const ASSETS: [(&str, &str, &str); 14] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../assets/style.css")),
    ("parts.css", "text/css; charset=utf-8", include_str!("../assets/parts.css")),
    ("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
    ("app.js", SCRIPT, include_str!("../assets/app.js")),
    ("action.js", SCRIPT, include_str!("../assets/action.js")),
    ("api.js", SCRIPT, include_str!("../assets/api.js")),
    ("chart.js", SCRIPT, include_str!("../assets/chart.js")),
    ("detail.js", SCRIPT, include_str!("../assets/detail.js")),
    ("dom.js", SCRIPT, include_str!("../assets/dom.js")),
    ("list.js", SCRIPT, include_str!("../assets/list.js")),
    ("part.js", SCRIPT, include_str!("../assets/part.js")),
    ("revision.js", SCRIPT, include_str!("../assets/revision.js")),
    ("run.js", SCRIPT, include_str!("../assets/run.js")),
    ("time.js", SCRIPT, include_str!("../assets/time.js")),
];

/// The page that shows everything; which part of it, its script reads from the address.
const INDEX: &str = include_str!("../assets/index.html");
/// What stands in [`INDEX`] for the path under which everything lies.
const BASE: &str = "<base href=\"/\">";

/// The pages under one path.
#[derive(Clone, Debug)]
pub struct Pages {
    index: Arc<str>,
}

/// The pages under `root`, a path without slashes at its ends, or empty.
pub fn pages(root: &str) -> Pages {
    let base = if root.is_empty() { BASE.to_owned() } else { format!("<base href=\"/{root}/\">") };
    Pages { index: INDEX.replace(BASE, &base).into() }
}

impl Pages {
    /// Answers a request for a path below the root: an asset, or the page for every address that the page knows.
    pub fn answer(&self, method: &Method, path: &str) -> Response {
        if *method != Method::GET && *method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here").into_response();
        }
        let content = match path.trim_start_matches('/').split_once('/') {
            Some(("assets", name)) => ASSETS
                .iter()
                .find(|(known, ..)| *known == name)
                .map(|(_, kind, content)| (*kind, (*content).to_owned())),
            Some(("api", _)) => None,
            _ => Some((HTML, self.index.to_string())),
        };
        match content {
            // An update of the dashboard is seen at once.
            Some((kind, content)) => {
                ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
            }
            None => (StatusCode::NOT_FOUND, "there is nothing here").into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_knows_where_it_lies() {
        assert!(pages("rollouts").index.contains("<base href=\"/rollouts/\">"));
        assert!(pages("").index.contains(BASE));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_stands_inline() {
        for (name, _, content) in ASSETS.iter().chain([&("index.html", HTML, INDEX)]) {
            let foreign = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{name} names another site");
            assert!(!content.contains("style=\""), "{name} has an inline style, which the policy forbids");
            assert!(!content.contains("innerHTML"), "{name} makes markup from text");
        }
        assert!(INDEX.matches("<script").count() == 1 && INDEX.contains("src=\"assets/app.js\""));
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        for (name, _, content) in ASSETS.iter().filter(|(.., content)| content.contains("import ")) {
            let imports = content.lines().filter_map(|line| line.split_once("from \"./")?.1.split_once('"'));
            for (module, _) in imports {
                assert!(ASSETS.iter().any(|(known, ..)| *known == module), "{name} imports {module}");
            }
        }
    }
}
