//! The one reading of a path that mapping rules are matched against.
//!
//! Owns [`with_canonical`]. Must not know rules. Two spellings that an upstream may take for the
//! same resource have to look the same here, or a client could pick the spelling that no rule
//! counts. What has more than one sensible reading is refused, and a refused path matches no rule:
//!
//! | In the path | Reading |
//! | --- | --- |
//! | `%41`, `%7e`, `%C3%A9`: any escape not named below | the byte it stands for |
//! | `%2F`, `%5C`, `\` | refused: a separator to some upstreams, data to others |
//! | `%00` to `%1F`, `%7F`, raw control bytes and blanks | refused: some cut the path there |
//! | `%` without two hexadecimal digits | refused |
//! | `%252F` | the text `%2F`: escapes are read once |
//! | `//` | one slash |
//! | `.` or `..` as a segment, escaped or with a parameter (`..;x`) too | refused |
//! | `;` or `%3B` up to the end of the segment | left out: a parameter, not part of the name |
//! | `#` | refused: a fragment is never sent |
//! | what is not UTF-8, by escapes (`%C0%AF`) too | refused: an overlong slash to some |
//! | letter case | kept: paths are case sensitive, to the router and to 3scale |
//! | not starting with `/` (`*`, empty, absolute) | refused |
//!
//! Envoy's own normalisation, where it is switched on, has resolved dot segments and double slashes
//! before; this reading makes the rules safe where it is not.

use crate::form::Escapes;

/// Longest path that is looked at, without its query. Longer ones are refused.
pub(crate) const MAX_PATH_BYTES: usize = 8_192;

/// Calls `read` with the canonical bytes of `path`; `None` when the path is refused. Nothing is
/// allocated: an ordinary path is handed on as it is, another is written to the stack.
pub(crate) fn with_canonical<T>(path: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if path.len() > MAX_PATH_BYTES || !path.starts_with(b"/") {
        return None;
    }
    if is_canonical(path) {
        return Some(read(path));
    }
    rewrite(path, read)
}

/// Whether nothing in `path` needs a second look.
fn is_canonical(path: &[u8]) -> bool {
    let mut previous = 0;
    path.iter().all(|byte| {
        let after_slash = std::mem::replace(&mut previous, *byte) == b'/';
        match byte {
            b'/' | b'.' => !after_slash,
            b'%' | b';' | b'\\' | b'#' => false,
            _ => byte.is_ascii_graphic(),
        }
    })
}

// Kept out of the caller: its buffer would be cleared for every ordinary path as well.
#[inline(never)]
fn rewrite<T>(path: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut buffer = [0; MAX_PATH_BYTES];
    let mut rest: &mut [u8] = &mut buffer;
    let mut after_slash = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        if !after_slash {
            push(&mut rest, b'/')?;
        }
        after_slash = push_segment(&mut rest, segment)? == 0;
    }
    let unused = rest.len();
    let written = buffer.get(..MAX_PATH_BYTES.checked_sub(unused)?)?;
    std::str::from_utf8(written).ok()?;
    Some(read(written))
}

/// Writes the name of a segment and says how many bytes that were. Its parameters are read as well,
/// although they are left out: they must not hide a separator.
fn push_segment(rest: &mut &mut [u8], segment: &[u8]) -> Option<usize> {
    let mut written = 0;
    let mut only_dots = true;
    let mut in_name = true;
    if segment.iter().any(|byte| matches!(byte, b'#' | b' ')) {
        return None;
    }
    for byte in Escapes::of_path(segment) {
        let byte = byte.ok()?;
        if byte.is_ascii_control() || matches!(byte, b'/' | b'\\') {
            return None;
        }
        in_name &= byte != b';';
        if in_name {
            push(rest, byte)?;
            written += 1;
            only_dots &= byte == b'.';
        }
    }
    let is_dot_segment = only_dots && matches!(written, 1 | 2);
    (!is_dot_segment).then_some(written)
}

fn push(rest: &mut &mut [u8], byte: u8) -> Option<()> {
    let (first, others) = std::mem::take(rest).split_first_mut()?;
    *first = byte;
    *rest = others;
    Some(())
}
