//! Where a monitor is: the parts of `--url`.

use std::fmt;

use hyper::Uri;

/// A monitor's address. Invariant: it has a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    scheme: Scheme,
    host: String,
    port: u16,
    authority: String,
    /// What stands before `/v1`, without a slash at its end.
    prefix: String,
}

/// How a monitor is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    /// A proxy in front of the monitor speaks TLS; the monitor itself does not.
    Https,
}

impl Base {
    /// Reads `http://host[:port][/prefix]`; a scheme may be left out.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let bad = |why: &str| format!("not an address such as http://127.0.0.1:8000 ({why})");
        let uri: Uri = with_scheme.parse().map_err(|_| bad("not a URL"))?;
        let (scheme, port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return Err(bad("the scheme must be http or https")),
        };
        if uri.query().is_some() {
            return Err(bad("no query belongs here"));
        }
        let authority = uri.authority().ok_or_else(|| bad("a host is missing"))?;
        let host = authority.host();
        if host.is_empty() {
            return Err(bad("a host is missing"));
        }
        Ok(Self {
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(port),
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// How to talk.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where to connect.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The request target of a path of ours.
    pub(crate) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        check(
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000",
            ("127.0.0.1", 8000),
        );
        check(
            "localhost:8000/",
            "http://localhost:8000",
            ("localhost", 8000),
        );
        check("http://[::1]:9/a/b/", "http://[::1]:9/a/b", ("::1", 9));
        check("http://monitor", "http://monitor", ("monitor", 80));
    }

    fn check(url: &str, shown: &str, connects: (&str, u16)) {
        let base = Base::parse(url).unwrap();
        assert_eq!(
            (base.to_string().as_str(), base.host_and_port()),
            (shown, connects)
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, part) in [
            ("ftp://a", "the scheme must be http or https"),
            ("http://a/?b", "no query"),
            ("", "not a URL"),
            ("http://a b", "not a URL"),
        ] {
            let error = Base::parse(url).unwrap_err();
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn keeps_a_prefix() {
        let base = Base::parse("http://a/auscult/").unwrap();
        assert_eq!(base.target("/v1/targets"), "/auscult/v1/targets");
    }
}
