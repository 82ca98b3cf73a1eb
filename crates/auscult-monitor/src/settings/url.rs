//! Where to check: `http://host/path`, `https://host/path`, `tcp://host:port`.

use hyper::Uri;

use super::node::shown;

/// An address that checks go to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CheckUrl {
    /// With scheme `http` or `https`, and a host.
    Http(Uri),
    /// The host without brackets, and the port.
    Tcp(Box<str>, u16),
}

/// Reads an address, or says what is wrong with it and what to do.
pub(super) fn parse(text: &str) -> Result<CheckUrl, (String, Option<String>)> {
    let hint = |hint: String| Some(hint);
    let Some((scheme, rest)) = text.split_once("://") else {
        let message = format!("`{}` has no scheme", shown(text));
        let example = match text.trim_start_matches('/') {
            "" => "localhost:8080",
            rest => rest,
        };
        return Err((
            message,
            hint(format!("write `http://{example}` or `tcp://{example}`")),
        ));
    };
    let scheme = scheme.to_ascii_lowercase();
    if !["http", "https", "tcp"].contains(&scheme.as_str()) {
        let message = format!("`{}` is no scheme of a check", shown(&scheme));
        return Err((message, hint("there are http, https and tcp".into())));
    }
    if !text.is_ascii() {
        let message = "a URL has only ASCII characters".to_owned();
        let how = "write a host name in its `xn--` form and anything else percent-encoded";
        return Err((message, hint(how.into())));
    }
    let uri: Uri = text
        .parse()
        .map_err(|error| (format!("this is not a URL: {error}"), None))?;
    let host = uri.host().unwrap_or_default();
    if host.is_empty() || host == "[]" {
        return Err(("the URL has no host".into(), None));
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let message = "the URL holds user information, which would show in every interface";
        let how =
            "remove what is before the `@`, and send an `authorization` header if it is needed";
        return Err((message.into(), hint(how.into())));
    }
    let said = authority.get(host.len()..).unwrap_or_default();
    let port = match (said.strip_prefix(':'), uri.port_u16()) {
        (None, _) => None,
        (Some(_), Some(port)) if port > 0 => Some(port),
        (Some(port), _) => {
            let message = format!("`{}` is no port", shown(port));
            return Err((message, hint("ports are from 1 to 65535".into())));
        }
    };
    if scheme != "tcp" {
        return Ok(CheckUrl::Http(uri));
    }
    let Some(port) = port else {
        return Err((
            "a tcp URL needs a port".into(),
            hint(format!("write `tcp://{}:5432`", rest.trim_end_matches('/'))),
        ));
    };
    if uri
        .path_and_query()
        .is_some_and(|path| path.as_str() != "/")
    {
        return Err((
            "a tcp URL has no path".into(),
            hint(format!("write `tcp://{host}:{port}`")),
        ));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(CheckUrl::Tcp(host.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_the_addresses_that_checks_can_go_to() {
        for (text, expected) in [
            ("http://localhost", "http://localhost/"),
            (
                "https://shop.example:8443/health?a=b",
                "https://shop.example:8443/health?a=b",
            ),
            (
                "HTTP://10.1.0.101:8080/heartbeat",
                "http://10.1.0.101:8080/heartbeat",
            ),
            ("http://[::1]:80/", "http://[::1]:80/"),
        ] {
            match parse(text) {
                Ok(CheckUrl::Http(uri)) => assert_eq!(uri.to_string(), expected),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(parse("tcp://db:5432"), Ok(CheckUrl::Tcp("db".into(), 5432)));
        assert_eq!(parse("tcp://[::1]:1/"), Ok(CheckUrl::Tcp("::1".into(), 1)));
    }

    #[test]
    fn refuses_other_texts_with_a_reason() {
        for (text, reason) in [
            ("", "no scheme"),
            ("localhost:8080", "no scheme"),
            ("ftp://a/", "no scheme of a check"),
            ("http://", "not a URL"),
            ("http:///path", "not a URL"),
            ("http://a b/", "not a URL"),
            ("http://größe/", "ASCII"),
            ("http://user:secret@a/", "user information"),
            ("http://a:0/", "no port"),
            ("http://a:99999/", "port"),
            ("tcp://a", "needs a port"),
            ("tcp://a:1/path", "no path"),
        ] {
            let (message, _) = parse(text).expect_err(text);
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "(http|tcp|https)?(://)?[\\PC]{0,40}") {
            let _ = parse(&text);
        }
    }
}
