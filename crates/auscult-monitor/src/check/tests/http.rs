//! HTTP and TCP checks without encryption.

use std::time::Duration;

use auscult_core::monitor::Failure;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderValue};

use super::harness::{Checking, failure, http, once, tcp};
use super::server::{Act, Server, ok, refusing, send};
use crate::settings::{Connection, HttpVersion, Pattern, StatusRanges};

fn status(line: &str) -> Act {
    send(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"))
}

fn moved(code: u16, to: &str) -> Act {
    send(format!(
        "HTTP/1.1 {code} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
    ))
}

#[test]
fn a_good_answer_is_an_arrival_at_its_end() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    checking.set(http(&server.url("/health?x=1#top")));
    let news = checking.news();
    let report = checking.runner.last(news.key).unwrap();
    let answer = report.outcome.clone().unwrap();
    assert_eq!(
        (answer.status, answer.http_version),
        (Some(200), Some("1.1"))
    );
    assert_eq!(news.failure, None);
    assert!(report.started_at < news.at && news.at <= checking.clock.now());
    let phases = report.phases;
    assert!(phases.connect.is_some() && phases.first_byte.is_some() && phases.body.is_some());
    assert_eq!((phases.resolve, phases.tls), (None, None));
    let request = server.requests().remove(0);
    assert!(
        request.starts_with("GET /health?x=1 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("host: {}\r\n", server.address)),
        "{request}"
    );
}

#[test]
fn what_is_configured_is_sent() {
    let server = Server::start(|_| vec![ok("fine")]);
    let mut check = http(&server.url("/"));
    check.method = Method::POST;
    check.body = Some("ping".into());
    check
        .headers
        .insert("x-probe", HeaderValue::from_static("1"));
    check
        .headers
        .insert("user-agent", HeaderValue::from_static("me"));
    check
        .headers
        .insert("host", HeaderValue::from_static("other.example"));
    once(check).outcome.clone().unwrap();
    let request = server.requests().remove(0);
    for part in [
        "POST / HTTP/1.1\r\n",
        "x-probe: 1\r\n",
        "user-agent: me\r\n",
        "\r\n\r\nping",
    ] {
        assert!(request.contains(part), "{part:?} in {request}");
    }
    assert_eq!(request.matches("host: ").count(), 1, "{request}");
}

#[test]
fn an_unexpected_status_is_told_with_what_was_expected() {
    let server = Server::start(|_| vec![status("503 Busy")]);
    let (class, text) = failure(http(&server.url("/")));
    assert_eq!(class, Failure::Status(503));
    assert_eq!(text, "status 503, expected 2xx");
    let mut check = http(&server.url("/"));
    check.expect_status = StatusRanges::new(vec![(200, 299), (503, 503)]);
    assert_eq!(once(check).outcome.clone().unwrap().status, Some(503));
}

#[test]
fn a_body_is_matched_wherever_it_is_cut() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nall: fine";
    let server = Server::start(|_| vec![Act::Drip(answer.to_vec())]);
    let mut check = http(&server.url("/"));
    check.expect_body = Some(Pattern::new("^all: fi.e$").unwrap());
    once(check.clone()).outcome.clone().unwrap();
    check.expect_body = Some(Pattern::new("broken").unwrap());
    let (class, text) = failure(check);
    assert_eq!(class, Failure::Body);
    assert_eq!(
        text,
        r#"the body does not match "broken": it begins with "all: fine""#
    );
}

#[test]
fn an_endless_body_is_read_to_the_limit() {
    let server = Server::start(|_| {
        let chunk = vec![b'x'; 1 << 16];
        let mut acts = vec![send(
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        )];
        acts.extend((0..17).map(|_| Act::Send(chunk.clone())));
        acts.push(Act::Hang);
        acts
    });
    let mut check = http(&server.url("/"));
    once(check.clone()).outcome.clone().unwrap();
    check.expect_body = Some(Pattern::new("y").unwrap());
    assert_eq!(failure(check).0, Failure::Body);
}

#[test]
fn a_server_that_refuses_is_told_so() {
    let address = refusing();
    let (class, text) = failure(http(&format!("http://{address}/")));
    assert_eq!(
        (class, text.as_str()),
        (Failure::Refused, "connection refused")
    );
    let (class, text) = failure(tcp("127.0.0.1", address.port()));
    assert_eq!(
        (class, text.as_str()),
        (Failure::Refused, "connection refused")
    );
}

#[test]
fn silence_ends_at_the_timeout_and_tells_how_far_the_check_came() {
    let server = Server::start(|_| vec![Act::Hang]);
    let mut check = http(&server.url("/"));
    check.timeout = Duration::from_millis(100);
    let (class, text) = failure(check);
    assert_eq!(class, Failure::Timeout);
    assert!(
        text.starts_with("no answer within 100ms (connected after "),
        "{text}"
    );
}

#[test]
fn the_timeout_covers_a_slow_body_too() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nall";
    let server = Server::start(move |_| vec![send(head), Act::Hang]);
    let mut check = http(&server.url("/"));
    check.timeout = Duration::from_millis(100);
    let report = once(check);
    let error = report.outcome.clone().unwrap_err();
    assert_eq!(error.failure, Failure::Timeout);
    assert_eq!(error.text, "the answer did not end within 100ms");
    assert!(report.phases.first_byte.is_some() && report.phases.body.is_none());
}

#[test]
fn broken_answers_are_told_apart() {
    for (answer, class, part) in [
        (
            "SSH-2.0-OpenSSH_9\r\n",
            Failure::Protocol,
            "not an HTTP answer",
        ),
        (
            "",
            Failure::Unreachable,
            "closed the connection before an answer",
        ),
        (
            "HTTP/1.1 200",
            Failure::Unreachable,
            "closed the connection before an answer",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nall",
            Failure::Unreachable,
            "closed the connection during the answer",
        ),
    ] {
        let server = Server::start(move |_| vec![send(answer), Act::Close]);
        let (found, text) = failure(http(&server.url("/")));
        assert_eq!(found, class, "{answer:?}: {text}");
        assert!(text.contains(part), "{answer:?}: {text}");
    }
}

#[test]
fn a_name_without_an_address_is_a_failure_of_dns() {
    let (class, text) = failure(tcp("no-such-host.invalid", 80));
    assert_eq!(class, Failure::Dns, "{text}");
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[test]
fn names_of_this_machine_resolve() {
    let server = Server::start(|_| vec![ok("fine")]);
    let report = once(http(&format!(
        "http://localhost:{}/",
        server.address.port()
    )));
    report.outcome.clone().unwrap();
    assert!(report.phases.resolve.is_some());
}

#[test]
fn redirects_are_followed_wherever_they_point() {
    let server = Server::start(|asked| {
        let path = asked.text.split(' ').nth(1).unwrap_or_default();
        vec![match path {
            "/a/start" => moved(302, "next?x=1"),
            "/a/next?x=1" => moved(307, "/end"),
            "/end" => ok("fine"),
            other => panic!("asked for {other}"),
        }]
    });
    let report = once(http(&server.url("/a/start")));
    assert_eq!(report.outcome.clone().unwrap().status, Some(200));
    assert_eq!(
        server.accepted(),
        1,
        "all three requests share a connection"
    );
}

#[test]
fn a_loop_of_redirects_ends() {
    let server = Server::start(|_| vec![moved(302, "/")]);
    let mut check = http(&server.url("/"));
    check.redirects = 3;
    let (class, text) = failure(check.clone());
    assert_eq!(class, Failure::Status(302));
    assert_eq!(text, "redirected more than 3 times");
    assert_eq!(server.requests().len(), 4);
    check.redirects = 0;
    assert_eq!(failure(check.clone()).1, "status 302, expected 2xx");
    check.redirects = 3;
    check.expect_status = StatusRanges::new(vec![(302, 302)]);
    assert_eq!(once(check).outcome.clone().unwrap().status, Some(302));
}

#[test]
fn secrets_are_not_shown_to_another_server() {
    let other = Server::start(|_| vec![ok("fine")]);
    let url = other.url("/");
    let server = Server::start(move |_| vec![moved(302, &url)]);
    let mut check = http(&server.url("/"));
    check
        .headers
        .insert(AUTHORIZATION, HeaderValue::from_static("secret"));
    check.method = Method::POST;
    once(check).outcome.clone().unwrap();
    assert!(server.requests()[0].contains("secret"));
    let asked = other.requests().remove(0);
    assert!(
        !asked.contains("secret") && asked.starts_with("GET / "),
        "{asked}"
    );
}

#[test]
fn redirects_to_nowhere_say_where() {
    for (to, part) in [("ftp://example.com/", "ftp"), ("http://[", "http://[")] {
        let server = Server::start(move |_| vec![moved(302, to)]);
        let (class, text) = failure(http(&server.url("/")));
        assert_eq!(class, Failure::Protocol, "{text}");
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_kept_connection_serves_many_checks() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    for _ in 0..10 {
        checking.report().outcome.clone().unwrap();
    }
    assert_eq!(server.accepted(), 1);
    assert_eq!(checking.report().phases.connect, None);
}

#[test]
fn a_fresh_connection_serves_one_check() {
    let server = Server::start(|_| vec![ok("fine")]);
    let mut check = http(&server.url("/"));
    check.connection = Connection::Fresh;
    let checking = Checking::start();
    checking.set(check);
    for _ in 0..5 {
        checking.report().outcome.clone().unwrap();
    }
    assert!(server.accepted() >= 5);
    assert!(server.requests()[0].contains("connection: close\r\n"));
    assert_eq!(checking.runner.metrics().connections_stale(), 0);
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_not_the_targets_failure() {
    // The server takes the second request of a connection and closes without a word: what a check
    // meets when its request crosses the server's idle time-out.
    let server = Server::start(|asked| match asked.number {
        0 => vec![ok("fine")],
        _ => vec![Act::Close],
    });
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    for _ in 0..5 {
        checking.report().outcome.clone().unwrap();
    }
    assert!(server.accepted() >= 5);
    assert!(checking.runner.metrics().connections_stale() >= 4);
}

#[test]
fn a_new_connection_that_is_closed_without_an_answer_is_the_targets_failure() {
    let server = Server::start(|_| vec![Act::Close]);
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    assert_eq!(checking.news().failure, Some(Failure::Unreachable));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_idle_connection_that_ends_is_let_go_at_once() {
    let server = Server::start(|_| vec![ok("fine"), Act::Close]);
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    for _ in 0..3 {
        checking.report().outcome.clone().unwrap();
    }
    assert_eq!(checking.runner.metrics().connections_stale(), 0);
}

#[test]
fn http2_is_spoken_with_prior_knowledge() {
    let server = Server::start_http2();
    let mut check = http(&server.url("/x"));
    check.version = HttpVersion::Http2;
    check.expect_body = Some(Pattern::new("^fine$").unwrap());
    let checking = Checking::start();
    checking.set(check);
    for _ in 0..5 {
        let answer = checking.report().outcome.clone().unwrap();
        assert_eq!((answer.status, answer.http_version), (Some(200), Some("2")));
    }
    assert_eq!(server.accepted(), 1);
}

#[test]
fn http2_to_a_server_of_http1_is_a_failure_of_protocol() {
    let server = Server::start(|_| vec![status("400 Bad Request"), Act::Close]);
    let mut check = http(&server.url("/"));
    check.version = HttpVersion::Http2;
    let (class, text) = failure(check);
    assert!(
        matches!(class, Failure::Protocol | Failure::Unreachable),
        "{text}"
    );
}

#[test]
fn a_tcp_check_connects_and_leaves() {
    let server = Server::start(|_| vec![]);
    let report = once(tcp("127.0.0.1", server.address.port()));
    assert_eq!(report.outcome.clone().unwrap().status, None);
    assert!(report.phases.connect.is_some());
}
