//! When checks are made: spread, on time, one at a time, within bounds.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auscult_core::monitor::Failure;
use socket2::{Domain, Socket, Type};

use super::harness::{Checking, KEY, failure, http, key, tcp};
use super::server::{Act, Server, ok};
use crate::settings::Connection;

#[test]
fn first_checks_are_spread_over_the_first_interval() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    let mut check = tcp("127.0.0.1", server.address.port());
    check.interval = Duration::from_secs(1);
    let before = checking.clock.now();
    for slot in 0..20 {
        checking
            .runner
            .set(key(slot), check.clone().into())
            .unwrap();
    }
    let after = checking.clock.now();
    let mut seen = BTreeSet::new();
    let mut tenths = [0; 10];
    while seen.len() < 20 {
        let news = checking.news();
        if !seen.insert(news.key) {
            continue;
        }
        let report = checking.runner.last(news.key).unwrap();
        let scheduled = report.started_at.before(report.lateness);
        assert!(scheduled >= before && scheduled < after.after(check.interval));
        let tenth = scheduled.since(before).as_millis() / 100;
        tenths[usize::try_from(tenth).unwrap().min(9)] += 1;
    }
    assert!(tenths.iter().all(|&count| count <= 4), "{tenths:?}");
}

#[test]
fn a_slow_check_is_never_overtaken_and_its_missed_slots_are_counted() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&running), Arc::clone(&most));
    let server = Server::start(move |asked| {
        // A new request on the same connection can only come after the answer; a second connection
        // would raise the count.
        let now = counters
            .0
            .fetch_add(usize::from(asked.number == 0), Ordering::SeqCst);
        counters.1.fetch_max(now, Ordering::SeqCst);
        vec![Act::Pause(Duration::from_millis(70)), ok("fine")]
    });
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    for _ in 0..3 {
        let report = checking.report();
        report.outcome.clone().unwrap();
        assert!(report.duration() >= Duration::from_millis(70));
    }
    assert_eq!(server.accepted(), 1);
    let skipped = checking
        .runner
        .signal(KEY, |signal| signal.skipped())
        .unwrap();
    assert!(
        skipped >= 6,
        "three checks of 70 ms miss three slots of 20 ms each: {skipped}"
    );
    assert!(checking.runner.metrics().skipped() >= skipped);
}

#[test]
fn lateness_and_durations_are_measured() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    for _ in 0..5 {
        checking.news();
    }
    let metrics = checking.runner.metrics();
    assert!(metrics.lateness.snapshot().count >= 5);
    assert!(metrics.http_duration.snapshot().count >= 5);
    assert_eq!(metrics.tcp_duration.snapshot().count, 0);
    let (checks, sum) = checking
        .runner
        .signal(KEY, |signal| (signal.checks(), signal.duration_sum()))
        .unwrap();
    assert!(checks >= 5 && sum > Duration::ZERO);
}

#[test]
fn failures_are_counted_by_reason() {
    let checking = Checking::start();
    checking.set(tcp("127.0.0.1", super::server::refusing().port()));
    checking.news();
    let refused = checking
        .runner
        .metrics()
        .failures()
        .find(|(_, count)| *count > 0);
    assert_eq!(refused.map(|(reason, _)| reason), Some("refused"));
    let failures: Vec<_> = checking
        .runner
        .signal(KEY, |signal| {
            signal.failures().filter(|(_, count)| *count > 0).collect()
        })
        .unwrap();
    assert_eq!(failures.len(), 1);
}

#[test]
fn a_removed_signal_is_not_checked_any_more() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    checking.set(http(&server.url("/")));
    checking.news();
    checking.runner.remove(KEY);
    assert!(checking.runner.last(KEY).is_none());
    // The other signal's checks show that time passes; the first one's have stopped.
    checking
        .runner
        .set(key(1), http(&server.url("/other")).into())
        .unwrap();
    while checking.news().key != key(1) {}
    for _ in 0..5 {
        assert_eq!(checking.news().key, key(1));
    }
}

#[test]
fn a_change_takes_effect_at_once_and_keeps_the_connection() {
    let server = Server::start(|_| vec![ok("fine")]);
    let checking = Checking::start();
    checking.set(http(&server.url("/old")));
    checking.report().outcome.clone().unwrap();
    checking.set(http(&server.url("/new")));
    while !server
        .requests()
        .iter()
        .any(|request| request.starts_with("GET /new"))
    {
        checking.news();
    }
    assert_eq!(server.accepted(), 1);
    // Elsewhere, or by another way: a new connection.
    let mut fresh = http(&server.url("/new"));
    fresh.connection = Connection::Fresh;
    checking.set(fresh);
    while server.accepted() < 2 {
        checking.news();
    }
}

#[test]
fn a_change_ends_a_check_that_hangs() {
    let hanging = Arc::new(AtomicBool::new(true));
    let hangs = Arc::clone(&hanging);
    let server = Server::start(move |asked| {
        if asked.text.starts_with("GET /hang") {
            hangs.store(false, Ordering::SeqCst);
            vec![Act::Hang]
        } else {
            vec![ok("fine")]
        }
    });
    let checking = Checking::start();
    let mut check = http(&server.url("/hang"));
    check.timeout = Duration::from_secs(3_600);
    checking.set(check);
    while hanging.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert_eq!(checking.runner.metrics().in_flight(), 1);
    checking.set(http(&server.url("/fine")));
    checking.report().outcome.clone().unwrap();
}

#[test]
fn without_sockets_checks_wait_and_no_target_is_blamed() {
    let server = Server::start(|_| vec![Act::Pause(Duration::from_millis(5)), ok("fine")]);
    let checking = Checking::with_sockets(2);
    for slot in 0..20 {
        checking
            .runner
            .set(key(slot), http(&server.url("/")).into())
            .unwrap();
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 20 {
        let news = checking.news();
        assert_eq!(news.failure, None);
        assert!(checking.runner.metrics().sockets() <= 2);
        seen.insert(news.key);
    }
    assert!(checking.runner.metrics().delayed() > 0);
    assert_eq!(checking.runner.metrics().sockets_max(), 2);
}

#[test]
fn shutdown_does_not_wait_for_checks() {
    let server = Server::start(|_| vec![Act::Hang]);
    let checking = Checking::start();
    let mut check = http(&server.url("/"));
    check.timeout = Duration::from_secs(3_600);
    checking.set(check);
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ended = tokio::time::timeout(Duration::from_secs(10), checking.runner.shutdown());
        ended.await.expect("shutdown is prompt");
    });
}

#[test]
fn a_connection_that_is_never_accepted_times_out() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // With nobody accepting, the kernel's queue is soon full and it answers no more.
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        waiting.push(stream);
    }
    let mut check = tcp("127.0.0.1", address.port());
    check.timeout = Duration::from_millis(100);
    let (class, text) = failure(check);
    assert_eq!(class, Failure::Timeout);
    assert_eq!(text, "no answer within 100ms (not connected)");
}
