//! XML as far as the protocol needs it.
//!
//! Owns [`Document`]: elements, their attributes and their texts, one after the other. Must not know
//! which elements there are. Work and memory are linear in the text; nothing recurses.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::response::ResponseError;

/// A document that is read from front to back.
pub(super) struct Document<'a> {
    reader: Reader<&'a [u8]>,
}

/// What comes next in a document.
pub(super) enum Node<'a> {
    /// The start of an element.
    Open(Tag<'a>),
    /// Text, without escapes.
    Text(Cow<'a, str>),
    /// The end of the element that was opened last.
    Close,
    /// The end of the document.
    End,
}

/// The start of an element.
pub(super) struct Tag<'a>(BytesStart<'a>);

impl<'a> Document<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        // One kind of element less to tell apart.
        reader.config_mut().expand_empty_elements = true;
        Self { reader }
    }

    /// The next node. Comments and instructions are passed over. A document type is refused: it
    /// could define entities.
    pub(super) fn next(&mut self) -> Result<Node<'a>, ResponseError> {
        loop {
            // The cause is not kept: it quotes the document, which may quote a key.
            return match self.reader.read_event().map_err(|_| ResponseError::Xml)? {
                Event::Start(tag) | Event::Empty(tag) => Ok(Node::Open(Tag(tag))),
                Event::End(_) => Ok(Node::Close),
                Event::Text(text) => Ok(Node::Text(text.into_inner())),
                Event::CData(text) => Ok(Node::Text(text.into_inner())),
                Event::GeneralRef(name) => resolve(&name).map(Node::Text),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
                Event::DocType(_) => Err(ResponseError::Xml),
                Event::Eof => Ok(Node::End),
            };
        }
    }

    /// Opens the root, which has to be called `name`.
    pub(super) fn root(&mut self, name: &'static str) -> Result<Tag<'a>, ResponseError> {
        loop {
            return match self.next()? {
                Node::Open(tag) if tag.name() == name => Ok(tag),
                Node::Text(text) if text.trim().is_empty() => continue,
                _ => Err(ResponseError::Document {
                    element: name,
                    problem: "is not the root",
                }),
            };
        }
    }

    /// The next child of the element that was opened last; `None` at its end.
    pub(super) fn child(&mut self, parent: &'static str) -> Result<Option<Tag<'a>>, ResponseError> {
        loop {
            return match self.next()? {
                Node::Open(tag) => Ok(Some(tag)),
                Node::Close => Ok(None),
                Node::Text(text) if text.trim().is_empty() => continue,
                Node::Text(_) => Err(ResponseError::Document {
                    element: parent,
                    problem: "holds text",
                }),
                Node::End => Err(ResponseError::Xml),
            };
        }
    }

    /// The text of the element that was opened last, up to its end.
    pub(super) fn text(&mut self, element: &'static str) -> Result<String, ResponseError> {
        let mut all = String::new();
        loop {
            match self.next()? {
                Node::Text(text) => all.push_str(&text),
                Node::Close => return Ok(all),
                Node::Open(_) => {
                    return Err(ResponseError::Document {
                        element,
                        problem: "holds an element",
                    });
                }
                Node::End => return Err(ResponseError::Xml),
            }
        }
    }

    /// Passes over the element that was opened last.
    pub(super) fn skip(&mut self) -> Result<(), ResponseError> {
        let mut open = 1_usize;
        while open > 0 {
            match self.next()? {
                Node::Open(_) => open += 1,
                Node::Close => open -= 1,
                Node::Text(_) => {}
                Node::End => return Err(ResponseError::Xml),
            }
        }
        Ok(())
    }

    /// Checks that nothing but white space and comments follows.
    pub(super) fn end(&mut self) -> Result<(), ResponseError> {
        loop {
            match self.next()? {
                Node::End => return Ok(()),
                Node::Text(text) if text.trim().is_empty() => {}
                _ => return Err(ResponseError::Xml),
            }
        }
    }
}

impl Tag<'_> {
    pub(super) fn name(&self) -> &str {
        self.0.name().into_inner()
    }

    /// The value of an attribute, without escapes.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>, ResponseError> {
        let mut found = None;
        // The reader's own check for repeated names is quadratic.
        for attribute in self.0.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| ResponseError::Xml)?;
            if attribute.key.into_inner() != name {
                continue;
            }
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_err(|_| ResponseError::Xml)?
                .into_owned();
            if found.replace(value).is_some() {
                return Err(ResponseError::Xml);
            }
        }
        Ok(found)
    }
}

/// The text of `&name;`.
fn resolve<'a>(reference: &quick_xml::events::BytesRef<'_>) -> Result<Cow<'a, str>, ResponseError> {
    if let Some(found) = reference
        .resolve_char_ref()
        .map_err(|_| ResponseError::Xml)?
    {
        return Ok(Cow::Owned(found.to_string()));
    }
    quick_xml::escape::resolve_xml_entity(reference)
        .map(Cow::Borrowed)
        .ok_or(ResponseError::Xml)
}
