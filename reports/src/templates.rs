//! The templates of all pages: HTML for people, Markdown for repositories.
//!
//! Owns their texts, their syntax and what every one of them may use. Must not know what a page says. A page
//! of HTML extends `layout.html`; what several pages have alike is a template that they include.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde::Serialize;

use crate::draw::ink;

/// Template names with their texts.
macro_rules! texts {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("templates/", $name)))),*] };
}

const TEXTS: &[(&str, &str)] = &texts![
    "charts.html",
    "compare.html",
    "compare.md",
    "figures.html",
    "files.html",
    "files.md",
    "layout.html",
    "page.html",
    "page.md",
    "setup.html",
    "setup.md",
    "sheet.html",
    "sheet.md",
    "site.html",
    "table.md",
    "tables.html",
    "tables.md",
    "trail.html",
    "verdict.html",
    "verdict.md",
    "version.html",
    "version.md",
];
const CSS: &str = include_str!("templates/page.css");

/// Fills in a template. Those whose name ends with `.html` escape what they are given.
pub(crate) fn fill(name: &str, values: impl Serialize) -> Result<String, Error> {
    environment()?.get_template(name)?.render(Serde(values))
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut syntax = SyntaxConfig::builder();
    syntax
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    let mut environment = Environment::new();
    environment.set_syntax(syntax.build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    // Everything a page needs to look as it should.
    environment.add_global("css", format!("{}{CSS}", ink::style_sheet()));
    environment.add_filter("cell", |text: String| {
        text.replace('|', "\\|").replace('\n', " ")
    });
    for (name, text) in TEXTS {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        environment().expect("no template has an error in its syntax");
    }

    #[test]
    fn only_pages_of_html_escape_what_they_are_given() {
        let row = serde_json::json!({ "name": "<b>", "value": "a|b" });
        let values = serde_json::json!({ "setup": [row] });
        let html = fill("setup.html", &values).expect("the template fits");
        assert!(html.contains("<dt>&lt;b&gt;</dt><dd>a|b</dd>"), "{html}");
        let text = fill("setup.md", &values).expect("the template fits");
        assert!(text.contains("| <b> | a\\|b |"), "{text}");
    }
}
