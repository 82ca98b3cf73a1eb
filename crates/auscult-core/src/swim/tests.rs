//! One member alone: what goes in, and what comes out.

use alloc::format;
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::bounds::INCARNATION_MAX;

const SECOND: Duration = Duration::from_secs(1);

fn name(number: u64) -> MemberName {
    MemberName::new(&format!("m{number}")).unwrap()
}

fn address(number: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1_000 + number as u16))
}

fn incarnation(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn alive(number: u64, incarnation_number: u64) -> Update {
    Update::Alive {
        name: name(number),
        address: address(number),
        incarnation: incarnation(incarnation_number),
    }
}

fn suspect(number: u64, incarnation_number: u64, by: u64) -> Update {
    Update::Suspect {
        member: name(number).id(),
        incarnation: incarnation(incarnation_number),
        by: name(by).id(),
    }
}

/// SWIM alone.
fn params() -> Params {
    let mut params = Params::lan(Label::new("test").unwrap());
    params.direct_limit = 0;
    params
}

/// Member 0, which knows `others` more, at 1 s, with nothing left to say.
fn member(others: u64, params: Params) -> Swim {
    let identity = Identity {
        name: name(0),
        address: address(0),
        incarnation: Incarnation::FIRST,
    };
    let config = Config::new(params).unwrap();
    let mut swim = Swim::new(identity, config, 1, Instant::from_millis(1));
    let updates = (1..=others).map(|other| alive(other, 0)).collect();
    receive(&mut swim, 1, Body::Gossip, updates);
    swim.queue = Queue::new(0);
    swim.gossip_at = None;
    swim.end();
    drain(&mut swim);
    swim
}

fn receive(swim: &mut Swim, from: u64, body: Body, updates: Vec<Update>) {
    let label = Label::new("test").unwrap().tag();
    let packet = Packet {
        updates,
        ..Packet::bare(label, name(from).id(), body)
    };
    let from = address(from);
    swim.handle(swim.now, Input::Packet { from, packet });
    swim.check_invariants();
}

fn drain(swim: &mut Swim) -> Vec<Output> {
    core::iter::from_fn(|| swim.poll_output()).collect()
}

/// What is sent, to whom, with how many updates.
fn sent(outputs: &[Output]) -> Vec<(SocketAddr, Body, Vec<Update>)> {
    let mut sent = vec![];
    for output in outputs {
        if let Output::Send { to, packet } = output {
            sent.push((*to, packet.body, packet.updates.clone()));
        }
    }
    sent
}

/// `input` from member 1 makes member 0, who knows three others, send exactly this.
fn check(body: Body, updates: Vec<Update>, expected: &[(SocketAddr, Body)]) -> Swim {
    let mut swim = member(3, params());
    receive(&mut swim, 1, body, updates);
    let outputs = drain(&mut swim);
    let sent: Vec<_> = sent(&outputs)
        .into_iter()
        .map(|(to, body, _)| (to, body))
        .collect();
    assert_eq!(sent, expected);
    swim
}

/// Runs until the machine wakes for this reason, and gives what came out of it.
fn run_to(swim: &mut Swim, why: Wake) -> Vec<Output> {
    loop {
        let (at, reason) = swim.poll_timeout().unwrap();
        drain(swim);
        swim.handle(at, Input::Tick);
        swim.check_invariants();
        if reason == why {
            return drain(swim);
        }
    }
}

const FIVE: Sequence = Sequence(5);

/// [SWIM 3.1] A ping is answered, to where it came from.
#[test]
fn a_ping_is_acked_with_the_digest_of_the_view() {
    let view = ViewTag(member(3, params()).view_digest() as u16);
    let ack = Body::Ack {
        sequence: FIVE,
        view,
        metadata: MetadataTag(0),
        asker: Asker::Known,
    };
    let ping = Body::Ping {
        sequence: FIVE,
        round: 9,
    };
    let mut swim = check(ping, vec![], &[(address(1), ack)]);
    // The largest round wins, and is taken with the next period.
    run_to(&mut swim, Wake::Period);
    assert_eq!(swim.round(), 9);
}

/// [LG: buddy] Whoever is suspected is told with the first answer it gets.
#[test]
fn a_suspect_that_pings_is_told() {
    let mut swim = member(3, params());
    receive(&mut swim, 2, Body::Gossip, vec![suspect(1, 0, 2)]);
    drain(&mut swim);
    let ping = Body::Ping {
        sequence: FIVE,
        round: 1,
    };
    receive(&mut swim, 1, ping, vec![]);
    let sent = sent(&drain(&mut swim));
    assert_eq!(sent[0].2[0], suspect(1, 0, 2));
}

/// [SWIM 4.2] A member that is suspected says that it is alive, with a greater incarnation.
#[test]
fn what_is_said_of_oneself_is_contradicted_at_once() {
    let mut swim = member(3, params());
    receive(&mut swim, 1, Body::Gossip, vec![suspect(0, 7, 1)]);
    let outputs = drain(&mut swim);
    let persist = Output::Persist {
        incarnation: incarnation(8),
    };
    assert!(outputs.contains(&persist));
    let told = sent(&outputs);
    assert_eq!(told.len(), 3, "to as many as gossip goes to");
    assert!(told.iter().all(|(_, _, updates)| updates[0] == alive(0, 8)));
    assert_eq!(swim.local_health(), 1);
}

/// [SWIM 3.1] k others are asked, all at once, when the direct way takes too long; then it is
/// suspected, and is the first to know.
#[test]
fn a_probe_goes_round_before_it_fails() {
    let mut swim = member(6, params());
    let direct = sent(&run_to(&mut swim, Wake::Period));
    let (target, Body::Ping { sequence, .. }, _) = direct[0] else {
        panic!("{direct:?}");
    };
    let began = swim.now;
    let outputs = run_to(&mut swim, Wake::Indirect);
    assert_eq!(swim.now.since(began), Duration::from_millis(500));
    let asked = sent(&outputs);
    assert_eq!(asked.len(), 3);
    for (to, body, _) in asked {
        assert_ne!(to, target);
        assert!(matches!(body, Body::AskPing { sequence: asked, .. } if asked == sequence));
    }
    let asks = outputs.iter().filter(|output| {
        let Output::Ask { to, request, .. } = output else {
            return false;
        };
        *to == target && matches!(request, Request::Ping { .. })
    });
    assert_eq!(asks.count(), 1);
    let outputs = run_to(&mut swim, Wake::Verdict);
    assert_eq!(swim.now.since(began), SECOND);
    assert!(sent(&outputs).iter().any(|(to, body, updates)| {
        (*to, *body) == (target, Body::Gossip) && matches!(updates[0], Update::Suspect { .. })
    }));
    // [LG] Three nacks were missed.
    assert_eq!(swim.local_health(), 3);
    assert_eq!(swim.counters().probes_failed, 1);
}

#[test]
fn an_ack_by_another_member_or_to_another_probe_is_none() {
    let mut swim = member(6, params());
    let direct = sent(&run_to(&mut swim, Wake::Period));
    let (target, Body::Ping { sequence, .. }, _) = direct[0] else {
        panic!("{direct:?}");
    };
    let right = u64::from(target.port()) - 1_000;
    let (view, asker) = (ViewTag(0), Asker::Known);
    for (from, sequence) in [
        (right % 6 + 1, sequence),
        (right, Sequence(sequence.0.wrapping_add(1))),
    ] {
        let ack = Body::Ack {
            sequence,
            view,
            metadata: MetadataTag(0),
            asker,
        };
        receive(&mut swim, from, ack, vec![]);
        let reason = Reject::Unasked;
        let from = address(from);
        assert_eq!(drain(&mut swim), [Output::Rejected { from, reason }]);
    }
    let ack = Body::Ack {
        sequence,
        view,
        metadata: MetadataTag(0),
        asker,
    };
    receive(&mut swim, right, ack, vec![]);
    assert_eq!(drain(&mut swim), []);
    let trip = swim.member(&name(right)).unwrap().round_trip();
    assert_eq!(trip.mean(), Some(Duration::ZERO));
}

/// [SWIM 3.1] [LG] A relay pings in its own name, passes the ack on, and nacks before the origin
/// decides.
#[test]
fn a_relay_pings_passes_on_and_nacks() {
    let mut swim = member(3, params());
    let target = name(2).id();
    let ask = Body::AskPing {
        sequence: FIVE,
        target,
    };
    receive(&mut swim, 1, ask, vec![]);
    let (to, Body::RelayPing { sequence, origin }, _) = sent(&drain(&mut swim))[0] else {
        panic!("no relayed ping");
    };
    assert_eq!((to, origin), (address(2), name(1).id()));
    let asked_at = swim.now;
    let nack = sent(&run_to(&mut swim, Wake::Relay));
    assert_eq!(nack[0].1, Body::Nack { sequence: FIVE });
    assert_eq!(swim.now.since(asked_at), Duration::from_millis(400));
    let origin = Hearsay::Heard;
    receive(&mut swim, 2, Body::RelayAck { sequence, origin }, vec![]);
    let passed_on = Body::Relayed {
        sequence: FIVE,
        origin,
    };
    assert_eq!(
        sent(&drain(&mut swim))[0].1,
        passed_on,
        "late, and still of use"
    );
}

#[test]
fn a_relay_that_does_not_know_the_target_says_so_at_once() {
    let ask = Body::AskPing {
        sequence: FIVE,
        target: name(77).id(),
    };
    let nack = Body::Nack { sequence: FIVE };
    check(ask, vec![], &[(address(1), nack)]);
}

#[test]
fn another_label_is_refused_with_less_than_it_sent() {
    let mut swim = member(3, params());
    let packet = Packet {
        label: LabelTag(1),
        from: name(1).id(),
        body: Body::Ping {
            sequence: FIVE,
            round: 1 << 40,
        },
        updates: vec![suspect(2, 0, 1), alive(9, 0)],
        metadata: vec![],
        broadcasts: vec![],
    };
    let from = address(1);
    swim.handle(swim.now, Input::Packet { from, packet });
    let outputs = drain(&mut swim);
    let reason = Reject::Label;
    assert_eq!(outputs[0], Output::Rejected { from, reason });
    let refused = (from, Body::Refused(Refusal::Label), vec![]);
    assert_eq!(sent(&outputs), [refused]);
    assert_eq!((swim.live(), swim.round()), (4, 0));
}

/// [LG] Others who agree bring the deadline forward; the same one twice does not.
#[test]
fn independent_accusers_shorten_the_time_of_a_suspect() {
    let mut swim = member(9, params());
    let mut deadlines = vec![];
    for by in [2, 2, 3, 4, 5] {
        receive(&mut swim, by, Body::Gossip, vec![suspect(1, 0, by)]);
        let deadline = swim.member(&name(1)).unwrap().deadline().unwrap();
        deadlines.push(deadline.at.since(deadline.since));
    }
    assert_eq!(deadlines[0], deadlines[1]);
    assert!(deadlines[1] > deadlines[2] && deadlines[2] > deadlines[3]);
    assert_eq!(deadlines[4] * 6, deadlines[0]);
}

/// Who is dead to one member has its time here first, unless it had.
#[test]
fn a_conviction_counts_where_the_suspicion_was_known() {
    let dead = |number| Update::Dead {
        member: name(number).id(),
        incarnation: Incarnation::FIRST,
        by: name(3).id(),
    };
    let mut swim = member(5, params());
    receive(&mut swim, 3, Body::Gossip, vec![suspect(1, 0, 3)]);
    receive(&mut swim, 3, Body::Gossip, vec![dead(1), dead(2)]);
    let state = |swim: &Swim, number| swim.member(&name(number)).unwrap().state();
    // It is asked for its last word, twice.
    for _ in 0..2 {
        assert_eq!(state(&swim, 1), State::Suspect);
        let deadline = swim.member(&name(1)).unwrap().deadline().unwrap();
        assert!(deadline.at.since(swim.now) <= params().probe_timeout / 2);
        swim.handle(deadline.at, Input::Tick);
    }
    assert_eq!(
        (state(&swim, 1), state(&swim, 2)),
        (State::Dead, State::Suspect)
    );
}

/// That something came from it, before, is no news of now.
#[test]
fn a_link_that_passed_is_unknown_once_the_member_is_dead() {
    let mut swim = member(5, params());
    receive(&mut swim, 1, Body::Gossip, Vec::new());
    receive(&mut swim, 3, Body::Gossip, vec![suspect(1, 0, 3)]);
    let view = |swim: &Swim| {
        let view = swim.member(&name(1)).unwrap();
        (view.state(), view.link().hears)
    };
    assert_eq!(view(&swim), (State::Suspect, Direction::Passes));
    while let Some(deadline) = swim.member(&name(1)).unwrap().deadline() {
        swim.handle(deadline.at, Input::Tick);
    }
    assert_eq!(view(&swim), (State::Dead, Direction::Unknown));
}

/// A process that did not run convicts nobody for that time.
#[test]
fn a_stall_moves_the_deadlines_of_others() {
    let mut swim = member(9, params());
    receive(&mut swim, 2, Body::Gossip, vec![suspect(1, 0, 2)]);
    let before = swim.member(&name(1)).unwrap().deadline().unwrap();
    swim.handle(swim.now.after(60 * SECOND), Input::Tick);
    swim.check_invariants();
    let after = swim.member(&name(1)).unwrap().deadline().unwrap();
    assert!(after.stalled > 58 * SECOND);
    assert_eq!(after.at, before.at.after(after.stalled));
    assert_eq!(swim.member(&name(1)).unwrap().state(), State::Suspect);
    assert_eq!(swim.counters().stalls, 1);
}

/// Any input in any order: the parts agree, and the machine never says the same moment for ever.
#[test]
fn no_sequence_of_inputs_breaks_the_machine() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut swim = member(rng.below(5), params());
        let mut open = vec![];
        for _ in 0..150 {
            let now = swim.now.after(rng.span_below(2 * SECOND));
            let input = any_input(&mut rng, &mut open);
            swim.handle(now, input);
            swim.check_invariants();
            for output in drain(&mut swim) {
                if let Output::Ask { exchange, .. } = output {
                    open.push(exchange);
                }
            }
        }
    }
}

fn any_update(rng: &mut Rng) -> Update {
    let (number, by) = (rng.below(8), rng.below(8));
    let mut incarnation_number = rng.below(4);
    if rng.below(50) == 0 {
        incarnation_number = INCARNATION_MAX;
    }
    match rng.below(4) {
        0 => Update::Alive {
            name: name(number),
            address: address(rng.below(10)),
            incarnation: incarnation(incarnation_number),
        },
        1 => suspect(number, incarnation_number, by),
        2 => Update::Dead {
            member: name(number).id(),
            incarnation: incarnation(incarnation_number),
            by: name(by).id(),
        },
        _ => Update::Left {
            member: name(number).id(),
            incarnation: incarnation(incarnation_number),
        },
    }
}

fn any_stamp(rng: &mut Rng) -> Stamp {
    Stamp {
        epoch: incarnation(rng.below(4)),
        version: rng.below(4),
    }
}

fn any_record(rng: &mut Rng) -> Record {
    let number = rng.below(8);
    let state = State::ALL[rng.below(4) as usize];
    Record {
        name: name(number),
        address: address(number),
        claim: Claim::new(incarnation(rng.below(4)), state),
        metadata: any_stamp(rng),
    }
}

fn any_body(rng: &mut Rng) -> Body {
    let sequence = Sequence(rng.below(4) as u16);
    let some = name(rng.below(8)).id();
    let origin = Hearsay::Heard;
    match rng.below(9) {
        0 => Body::Gossip,
        1 => Body::Ping {
            sequence,
            round: rng.next_u64(),
        },
        2 => Body::Ack {
            sequence,
            view: ViewTag(rng.below(2) as u16),
            metadata: MetadataTag(rng.below(2) as u8),
            asker: Asker::Unknown,
        },
        3 => Body::AskPing {
            sequence,
            target: some,
        },
        4 => Body::RelayPing {
            sequence,
            origin: some,
        },
        5 => Body::RelayAck { sequence, origin },
        6 => Body::Relayed { sequence, origin },
        7 => Body::Nack { sequence },
        _ => Body::Refused(Refusal::Full),
    }
}

fn any_input(rng: &mut Rng, open: &mut Vec<ExchangeId>) -> Input<'static> {
    let from = address(rng.below(10));
    let label = Label::new("test").unwrap();
    match rng.below(12) {
        0 => Input::Tick,
        1 => Input::Request {
            from,
            ticket: Ticket(rng.next_u64()),
            request: Request::Sync {
                label,
                from: alloc::boxed::Box::new(any_record(rng)),
                round: rng.next_u64(),
                view: rng.below(2),
                metadata: rng.below(2),
            },
        },
        2 => Input::Request {
            from,
            ticket: Ticket(rng.next_u64()),
            request: Request::Push {
                label,
                from: name(rng.below(8)).id(),
                records: (0..rng.below(5)).map(|_| any_record(rng)).collect(),
            },
        },
        3 => match open.pop() {
            Some(exchange) => Input::Answered {
                exchange,
                answer: Answer::Records {
                    from: name(rng.below(8)).id(),
                    round: rng.next_u64(),
                    records: (0..rng.below(5)).map(|_| any_record(rng)).collect(),
                },
            },
            None => Input::Moved { address: from },
        },
        4 => Input::Failed {
            exchange: open.pop().unwrap_or(ExchangeId(0)),
            failure: StreamFailure::Malformed,
        },
        5 if rng.below(30) == 0 => Input::Leave,
        _ => Input::Packet {
            from,
            packet: Packet {
                label: label.tag(),
                from: name(rng.below(8)).id(),
                body: any_body(rng),
                updates: (0..rng.below(4)).map(|_| any_update(rng)).collect(),
                metadata: vec![],
                broadcasts: vec![],
            },
        },
    }
}

/// Its goodbye may all be said in what it sends anyway.
#[test]
fn who_leaves_is_gone_once_its_goodbye_is_said() {
    let mut swim = member(3, params());
    swim.handle(swim.now, Input::Leave);
    for _ in 0..20 {
        let (sequence, round) = (FIVE, 0);
        receive(&mut swim, 1, Body::Ping { sequence, round }, vec![]);
    }
    let (at, _) = swim.poll_timeout().unwrap();
    drain(&mut swim);
    swim.handle(at, Input::Tick);
    assert_eq!(drain(&mut swim).last(), Some(&Output::Gone));
    assert_eq!(swim.poll_timeout(), None);
}

/// Other members have more of this one's metadata, or later broadcasts of it, than it has itself:
/// they are told that all of that is over.
#[test]
fn what_was_said_in_the_own_name_is_overtaken() {
    let said: [fn(&mut Packet); 2] = [
        |packet| {
            let stamp = Stamp {
                epoch: incarnation(3),
                version: 1,
            };
            let member = name(0).id();
            packet.metadata = vec![MetadataNews::Stamp { member, stamp }];
        },
        |packet| {
            packet.broadcasts = vec![Broadcast {
                origin: name(0).id(),
                epoch: incarnation(3),
                number: 1,
                key: None,
                payload: b"x"[..].into(),
            }];
        },
    ];
    for say in said {
        let mut swim = member(3, params());
        swim.set_metadata(swim.now, "zone", Some(b"north")).unwrap();
        let label = Label::new("test").unwrap().tag();
        let mut packet = Packet::bare(label, name(1).id(), Body::Gossip);
        say(&mut packet);
        let from = address(1);
        swim.handle(swim.now, Input::Packet { from, packet });
        swim.check_invariants();
        let outputs = run_to(&mut swim, Wake::Gossip);
        let told = outputs.iter().find_map(|output| {
            let Output::Send { packet, .. } = output else {
                return None;
            };
            Some(packet)
        });
        let told = told.unwrap();
        assert_eq!(told.updates, [alive(0, 4)]);
        let [MetadataNews::Delta(delta)] = &told.metadata[..] else {
            panic!("{told:?}");
        };
        assert_eq!((delta.stamp.epoch, delta.since), (incarnation(4), 0));
        assert_eq!(delta.items.len(), 1);
    }
}

/// A datagram that names another member as its sender makes nobody open a stream to that one.
#[test]
fn only_who_tells_of_metadata_is_asked_for_it() {
    for (from, asked) in [(1, 1), (2, 0)] {
        let mut swim = member(3, params());
        let label = Label::new("test").unwrap().tag();
        let mut packet = Packet::bare(label, name(1).id(), Body::Gossip);
        let stamp = Stamp {
            epoch: incarnation(0),
            version: 9,
        };
        let member = name(3).id();
        packet.metadata = vec![MetadataNews::Stamp { member, stamp }; 2];
        let from = address(from);
        swim.handle(swim.now, Input::Packet { from, packet });
        swim.check_invariants();
        let outputs = drain(&mut swim);
        let asks = outputs
            .iter()
            .filter(|output| matches!(output, Output::Ask { .. }));
        assert_eq!(asks.count(), asked);
        assert_eq!(swim.counters().metadata_asks, asked as u64);
    }
}

/// No room is left: what members say more is refused, and what is there stays.
#[test]
fn copies_of_metadata_have_a_bound_together() {
    use crate::bounds::{METADATA_BYTES_MAX, METADATA_WEIGHT_MAX};
    let value: alloc::sync::Arc<[u8]> = alloc::sync::Arc::from(vec![0; METADATA_BYTES_MAX - 1]);
    let enough = (METADATA_WEIGHT_MAX / METADATA_BYTES_MAX) as u64;
    let mut swim = member(enough, params());
    let label = Label::new("test").unwrap().tag();
    for number in 1..=enough {
        let mut packet = Packet::bare(label, name(1).id(), Body::Gossip);
        packet.metadata = vec![MetadataNews::Delta(Delta {
            member: name(number).id(),
            stamp: Stamp {
                epoch: incarnation(0),
                version: 1,
            },
            since: 0,
            items: vec![Item {
                key: Key::new("k").unwrap(),
                version: 1,
                value: Some(value.clone()),
            }],
        })];
        let from = address(1);
        swim.handle(swim.now, Input::Packet { from, packet });
    }
    swim.check_invariants();
    let full = swim
        .members()
        .filter(|member| member.metadata().count() == 1);
    let refused = swim.counters().rejected(Reject::Metadata);
    assert_eq!(full.count() as u64 + refused, enough);
    assert!((1..20).contains(&refused), "{refused}");
}

/// Says twice that member 0 is elsewhere, each time in a greater incarnation than it has. Gives the
/// ping with which it looks for the other process there.
fn contradict_twice(swim: &mut Swim) -> (SocketAddr, Sequence) {
    let elsewhere = address(77);
    let mut pinged = None;
    for number in [5, 7] {
        assert_eq!(pinged, None);
        let moved = Update::Alive {
            name: name(0),
            address: elsewhere,
            incarnation: incarnation(number),
        };
        receive(swim, 1, Body::Gossip, [moved].into());
        let outputs = drain(swim);
        pinged = outputs.iter().find_map(|output| {
            let Output::Send { to, packet } = output else {
                return None;
            };
            let Body::Ping { sequence, .. } = packet.body else {
                return None;
            };
            (*to == elsewhere).then_some(sequence)
        });
    }
    (elsewhere, pinged.expect("the other process is looked for"))
}

fn from_namesake(swim: &mut Swim, from: SocketAddr, body: Body) -> Vec<Output> {
    let packet = Packet::bare(Label::new("test").unwrap().tag(), name(0).id(), body);
    swim.handle(swim.now, Input::Packet { from, packet });
    drain(swim)
}

fn ack(sequence: Sequence) -> Body {
    Body::Ack {
        sequence,
        view: ViewTag(0),
        metadata: MetadataTag(0),
        asker: Asker::Known,
    }
}

#[test]
fn a_name_that_another_process_answers_to_is_given_up() {
    let mut swim = member(3, params());
    let (elsewhere, sequence) = contradict_twice(&mut swim);
    assert_eq!(
        swim.me().incarnation(),
        incarnation(6),
        "it waits for the answer"
    );
    // Neither another address nor another sequence is an answer.
    from_namesake(&mut swim, address(78), ack(sequence));
    from_namesake(&mut swim, elsewhere, ack(Sequence(sequence.0 ^ 1)));
    assert_eq!(swim.name_lost_to(), None);
    let outputs = from_namesake(&mut swim, elsewhere, ack(sequence));
    assert_eq!(swim.name_lost_to(), Some(elsewhere));
    assert!(outputs.contains(&Output::Gone));
    let says = |output: &Output| matches!(output, Output::Send { .. });
    assert!(
        !outputs.iter().any(says),
        "a goodbye would be the other one's"
    );
    assert_eq!(swim.poll_timeout(), None);
}

#[test]
fn a_name_that_nobody_answers_to_elsewhere_is_kept() {
    let mut swim = member(3, params());
    contradict_twice(&mut swim);
    swim.now = swim.now.after(SECOND);
    let moved = Update::Alive {
        name: name(0),
        address: address(77),
        incarnation: incarnation(7),
    };
    receive(&mut swim, 1, Body::Gossip, [moved].into());
    assert_eq!(swim.me().incarnation(), incarnation(8));
    assert_eq!(swim.name_lost_to(), None);
}

/// Its other address leads to itself.
#[test]
fn a_member_does_not_answer_to_itself() {
    let mut swim = member(3, params());
    let (elsewhere, sequence) = contradict_twice(&mut swim);
    let round = 0;
    let outputs = from_namesake(&mut swim, address(0), Body::Ping { sequence, round });
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Send { .. }))
    );
    from_namesake(&mut swim, elsewhere, ack(sequence));
    assert_eq!(swim.name_lost_to(), None);
}

/// A member that two processes claim goes to and fro; one that was moved, and moved back, does not.
#[test]
fn others_say_when_two_processes_use_one_name() {
    let mut swim = member(3, params());
    let conflicts: Vec<_> = (1..=6)
        .map(|number| {
            let moved = Update::Alive {
                name: name(2),
                address: address(if number % 2 == 0 { 2 } else { 77 }),
                incarnation: incarnation(number),
            };
            receive(&mut swim, 1, Body::Gossip, [moved].into());
            let outputs = drain(&mut swim);
            outputs.iter().find_map(|output| {
                if let Output::Event(event) = output
                    && let EventKind::NameConflict { address } = event.kind
                {
                    Some(address)
                } else {
                    None
                }
            })
        })
        .collect();
    let back = Some(address(2));
    assert_eq!(conflicts, [None, None, back, None, None, None]);
}
