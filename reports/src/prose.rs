//! Text that people write for a page, in Markdown.
//!
//! Owns what of it becomes markup: never HTML, pictures or addresses outside of the page. Must not know
//! what the text is about.

use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};

/// The text as HTML. Headings become two steps smaller, because the page has its own.
pub fn html(markdown: &str) -> String {
    let events = Parser::new(markdown).filter_map(tame);
    let mut text = String::new();
    html::push_html(&mut text, events);
    text
}

/// Markup of the writer's own becomes text, and what would ask the network for something goes.
fn tame(event: Event<'_>) -> Option<Event<'_>> {
    Some(match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
        | Event::End(TagEnd::Link | TagEnd::Image | TagEnd::HtmlBlock) => return None,
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Heading {
            level: pulldown_cmark::HeadingLevel::H3,
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(_)) => {
            Event::End(TagEnd::Heading(pulldown_cmark::HeadingLevel::H3))
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_gets_paragraphs_and_lists_and_no_markup_of_its_own() {
        #[track_caller]
        fn check(markdown: &str, expected: &str) {
            assert_eq!(html(markdown).trim(), expected);
        }
        check("One *line*.", "<p>One <em>line</em>.</p>");
        check(
            "- a\n- `b`",
            "<ul>\n<li>a</li>\n<li><code>b</code></li>\n</ul>",
        );
        check("# Title", "<h3>Title</h3>");
        check(
            "a <script>x</script>",
            "<p>a &lt;script&gt;x&lt;/script&gt;</p>",
        );
        check(
            "![a](https://example.com/x.png) [b](https://example.com)",
            "<p>a b</p>",
        );
    }
}
