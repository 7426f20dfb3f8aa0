//! The HTTP request of a connection, as text.

use super::{follower::Follower, layout, read_loop::ReadLoop};
use crate::process::pages::Pages;

/// Maximum length of a method or scheme, in bytes.
const METHOD_MAX: usize = 32;
/// Maximum length of a host with its port, in bytes.
const HOST_MAX: usize = 300;
/// Maximum number of bytes shown of a path.
const PATH_MAX: usize = 512;

/// `GET http://host/path` for a `net/http.Request`, without query and user information; `None` if
/// a field is not valid.
pub(super) fn describe(pages: &mut Pages, request: u64) -> Option<String> {
    let url = pages.word(request.checked_add(layout::REQUEST_URL)?)?;
    let method = text(pages, request, layout::REQUEST_METHOD, METHOD_MAX)?;
    let scheme = text(pages, url, layout::URL_SCHEME, METHOD_MAX)?;
    let host = text(pages, url, layout::URL_HOST, HOST_MAX)?;
    let path = text(pages, url, layout::URL_PATH, PATH_MAX)?;
    compose(&method.complete()?, &scheme.complete()?, &host.complete()?, path)
}

/// A string or a prefix of it.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    bytes: Vec<u8>,
    is_truncated: bool,
}

impl Text {
    /// The string, if it is complete and UTF-8.
    fn complete(self) -> Option<String> {
        if self.is_truncated { None } else { String::from_utf8(self.bytes).ok() }
    }
}

/// The string field at an offset of a structure: a pointer and a length.
fn text(pages: &mut Pages, structure: u64, offset: u64, most: usize) -> Option<Text> {
    let field = structure.checked_add(offset)?;
    let (start, length) = (pages.word(field)?, pages.word(field.checked_add(8)?)?);
    // A longer string is not part of a request.
    let length = usize::try_from(length).ok().filter(|&length| length <= 1 << 20)?;
    let bytes = if length == 0 { Vec::new() } else { pages.bytes(start, length.min(most))? };
    Some(Text { bytes, is_truncated: length > most })
}

fn compose(method: &str, scheme: &str, host: &str, path: Text) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_method = method.bytes().all(is_token);
    // A host that contains user information, and so perhaps a password, is rejected.
    let is_host = |byte: u8| !byte.is_ascii_control() && !b" \"/?#@\\<>".contains(&byte);
    let is_known = matches!(scheme, "http" | "https");
    if !is_method || !is_known || host.is_empty() || !host.bytes().all(is_host) {
        return None;
    }
    let is_truncated = path.is_truncated;
    let path = match String::from_utf8(path.bytes) {
        Ok(path) => path,
        // The path may have been truncated within a character.
        Err(error) if is_truncated && error.utf8_error().error_len().is_none() => {
            let valid = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(error.as_bytes().get(..valid)?).into_owned()
        }
        Err(_) => return None,
    };
    let shown = path.split(['?', '#']).next().unwrap_or_default();
    let end = if is_truncated && shown.len() == path.len() { "…" } else { "" };
    let slash = if shown.is_empty() || shown.starts_with('/') { "" } else { "/" };
    let method = if method.is_empty() { "GET" } else { method };
    Some(format!("{method} {scheme}://{host}{slash}{shown}{end}"))
}

impl Follower<'_, '_> {
    /// The `*http.Request` of the `requestAndChan` at a word index in the frame, and its
    /// description. A `requestAndChan` is recognized by its channel.
    pub(super) fn request(&mut self, read_loop: &ReadLoop, index: usize) -> Option<(u64, String)> {
        let distance = usize::try_from(self.layout.request_channel / 8).ok()?;
        let first = *read_loop.words.get(index)?;
        let channel = *read_loop.words.get(index.checked_add(distance)?)?;
        let is_heap = self.mappings.is_heap(first) && self.mappings.is_heap(channel);
        if !is_heap || !self.is_response_channel(channel)? {
            return None;
        }
        let request = if self.layout.request_is_indirect { self.pages.word(first)? } else { first };
        Some((request, describe(self.pages, request)?))
    }

    /// Whether this is an unbuffered `runtime.hchan` for values of the size of `responseAndError`.
    fn is_response_channel(&mut self, channel: u64) -> Option<bool> {
        let capacity = self.pages.word(channel.checked_add(layout::CHANNEL_CAPACITY)?)?;
        let size = self.pages.word(channel.checked_add(layout::CHANNEL_ELEMENT_SIZE)?)?;
        Some(capacity == 0 && size & 0xffff == layout::RESPONSE_AND_ERROR_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, scheme: &str, host: &str, path: &str, expected: Option<&str>) {
        let path = Text { bytes: path.into(), is_truncated: false };
        assert_eq!(compose(method, scheme, host, path).as_deref(), expected);
    }

    #[test]
    fn requests_are_described() {
        check("GET", "http", "billing:80", "/charge", Some("GET http://billing:80/charge"));
        check("", "https", "[::1]:443", "", Some("GET https://[::1]:443"));
        check("M-SEARCH", "http", "a", "b c", Some("M-SEARCH http://a/b c"));
    }

    #[test]
    fn secrets_are_not_shown() {
        check("GET", "http", "user:word@host", "/", None);
        check("GET", "http", "host", "/a?token=1", Some("GET http://host/a"));
        check("GET", "http", "host", "/a#part", Some("GET http://host/a"));
    }

    #[test]
    fn invalid_fields_are_no_request() {
        check("G T", "http", "host", "/", None);
        check("GET\n", "http", "host", "/", None);
        check("GET", "ftp", "host", "/", None);
        check("GET", "http", "", "/", None);
        check("GET", "http", "a b", "/", None);
        let path = Text { bytes: vec![b'/', 0xff], is_truncated: false };
        assert_eq!(compose("GET", "http", "host", path), None);
    }

    #[test]
    fn a_long_path_is_truncated_between_characters() {
        let path = Text { bytes: "/aä".as_bytes()[..3].to_vec(), is_truncated: true };
        assert_eq!(compose("GET", "http", "h", path).as_deref(), Some("GET http://h/a…"));
        let path = Text { bytes: b"/a?secret".to_vec(), is_truncated: true };
        assert_eq!(compose("GET", "http", "h", path).as_deref(), Some("GET http://h/a"));
    }
}
