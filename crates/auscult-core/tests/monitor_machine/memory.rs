//! A machine that goes on where another one was.

use auscult_core::monitor::{Status, Waits};
use auscult_core::time::Instant;

use crate::drive::{Shell, at, target, unguarded};

#[test]
fn a_signal_that_is_recalled_is_judged_as_if_it_had_been_here_all_along() {
    // In each of its standings: not heard yet, up, late, down.
    for begins in [500, 250_500, 306_500, 318_000] {
        let mut here = Shell::new(unguarded());
        let mut there = Shell::new(unguarded());
        let mut recalled = false;
        here.put(Instant::ORIGIN, target("web"));
        let seconds = (1..=302).chain([320]).chain(321..=400);
        let mut recall = |here: &mut Shell, there: &mut Shell, until: Instant| {
            if !recalled && until >= at(begins) {
                recalled = true;
                here.run(at(begins));
                here.events.clear();
                there.put(at(begins), target("web"));
                there.events.clear();
                let view = here.monitor.target("web").unwrap();
                let signal = view.signals().next().unwrap();
                let (name, memory) = (signal.name().to_string(), signal.memory());
                assert!(there.monitor.recall("web", &name, &memory));
                let status = there.monitor.target("web").unwrap().status();
                assert_eq!(status, view.status(), "without a word");
            }
            recalled
        };
        for second in seconds {
            let now = at(second * 1_000);
            let both = recall(&mut here, &mut there, now);
            here.beat("web", now);
            if both {
                there.beat("web", now);
            }
        }
        here.run(at(500_000));
        there.run(at(500_000));
        let decided = here.transitions();
        assert_eq!(decided, there.transitions(), "from {begins} on");
        let last = decided.last().map(|it| it.2);
        assert_eq!(last, Some(Status::Down));
    }
}

#[test]
fn what_cannot_have_been_is_not_recalled() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(5_000));
    let view = shell.monitor.target("web").unwrap();
    let signal = view.signals().next().unwrap();
    let (name, memory) = (signal.name().to_string(), signal.memory());
    assert_eq!(memory.waits, Waits::Next);
    let mut other = Shell::new(unguarded());
    other.put(Instant::ORIGIN, target("web"));
    assert!(
        !other.monitor.recall("web", &name, &memory),
        "of the future"
    );
    other.run(at(6_000));
    assert!(!other.monitor.recall("db", &name, &memory));
    assert!(!other.monitor.recall("web", "other", &memory));
    let mut torn = memory.clone();
    torn.learnt.truncate(4);
    assert!(!other.monitor.recall("web", &name, &torn));
    assert_eq!(
        other.monitor.target("web").unwrap().status(),
        Status::Unknown
    );
    assert!(other.monitor.recall("web", &name, &memory));
    assert_eq!(other.monitor.target("web").unwrap().status(), Status::Up);
}
