//! Probing [SWIM 3.1]: directly, by way of others, over a stream; and what follows from it.

use core::net::SocketAddr;
use core::time::Duration;

use super::config::{Buddy, ProbeOrder, StreamProbe, SuspicionRule, Timing};
use super::event::{Outcome, Reject};
use super::exchanges::Errand;
use super::flapping::Missed;
use super::gossip::DISAGREEMENTS_BEFORE_SYNC;
use super::member::{MemberId, State};
use super::members::Slot;
use super::message::{Asker, Body, Hearsay, Packet, Refusal, Request, Sequence, Update, ViewTag};
use super::metadata::MetadataTag;
use super::probes::{Probe, Purpose};
use super::{Stage, Swim};

impl Swim {
    /// A datagram: its news first, so that what follows is answered in the light of it.
    pub(super) fn take_packet(&mut self, from: SocketAddr, packet: Packet) {
        if packet.label != self.tag {
            self.reject(from, Reject::Label);
            // Only a ping is answered, and with less than it had: two clusters do not shout at
            // each other.
            if let Body::Ping { .. } = packet.body {
                self.send_bare(from, Body::Refused(Refusal::Label));
            }
            return;
        }
        if packet.from == self.me {
            self.hear_namesake(from, &packet.body);
            return;
        }
        let mut updates = packet.updates;
        updates.retain(|update| !self.is_known(update));
        for update in updates {
            self.take_update(from, update);
        }
        for news in packet.metadata {
            self.take_metadata_news(from, packet.from, news);
        }
        for broadcast in packet.broadcasts {
            self.take_broadcast(from, broadcast);
        }
        let sender = self.find_sender(packet.from, &packet.body);
        if let Some(slot) = sender {
            let entry = self.members.entry_mut(slot);
            entry.hear(self.now);
            if self.members.is_at(slot, from) {
                self.note_heard(slot);
            }
        }
        let by = packet.from;
        match packet.body {
            Body::Gossip => {}
            Body::Ping { sequence, round } => {
                self.probes.hear_round(round);
                self.answer_ping(from, sender, sequence);
            }
            Body::Ack {
                sequence,
                view,
                metadata,
                asker,
            } => self.take_ack(from, (by, sender), sequence, (view, metadata), asker),
            Body::AskPing { sequence, target } => self.relay(from, by, sequence, target),
            Body::RelayPing { sequence, origin } => {
                let origin = self.hearsay_of(origin);
                let accusation = sender.and_then(|slot| self.accusation_of(slot));
                self.send(from, Body::RelayAck { sequence, origin }, accusation);
            }
            Body::RelayAck { sequence, origin } => {
                if !self.take_relay_ack(by, sequence, origin) {
                    self.reject(from, Reject::Unasked);
                }
            }
            Body::Relayed { sequence, origin } => match self.probes.relayed(sequence, by) {
                Some(probe) => self.end_detour(&probe, Some(origin)),
                None => self.reject(from, Reject::Unasked),
            },
            Body::Nack { sequence } => self.probes.nacked(sequence, by),
            Body::Refused(_) => {}
            Body::Heartbeat { number, pace } => self.take_heartbeat(from, sender, number, pace),
            Body::Watch { sequence, proof } => self.take_watch(from, sender, sequence, proof),
            Body::Watching {
                sequence, proof, ..
            } => self.take_watching(from, sender, sequence, proof),
        }
    }

    /// Where the sender of a datagram stands. Who answers a probe is where it was when it was
    /// asked, and in the shared order everybody knows who asks whom in a round: so most senders are
    /// found without a look at the index, which in a large group is a line of memory that was not
    /// touched for long.
    fn find_sender(&self, id: MemberId, body: &Body) -> Option<Slot> {
        let expected = match *body {
            Body::Ack { sequence, .. } => self.probes.slot_of(sequence),
            Body::Ping { round, .. } if self.disagreements == 0 => self.asker_in(round),
            Body::Ping { .. }
            | Body::Gossip
            | Body::AskPing { .. }
            | Body::RelayPing { .. }
            | Body::RelayAck { .. }
            | Body::Relayed { .. }
            | Body::Nack { .. }
            | Body::Refused(_)
            | Body::Heartbeat { .. }
            | Body::Watch { .. }
            | Body::Watching { .. } => None,
        };
        let is_there = |&slot: &Slot| self.members.get(slot).is_some_and(|entry| entry.id == id);
        expected.filter(is_there).or_else(|| self.members.find(id))
    }

    /// Reads what a call with this datagram, or at the next period, will read of a member, and says
    /// nothing that means anything. In a large group that memory was not touched for long: a shell
    /// with many machines that asks some of them in one go, before it calls them, waits for all of
    /// it at once.
    #[must_use]
    pub fn look_ahead(&self, packet: Option<&Packet>) -> u64 {
        let slot = match packet {
            Some(packet) => self.find_sender(packet.from, &packet.body),
            None => self.next_in_shared_order(),
        };
        let entry = slot.and_then(|slot| self.members.get(slot));
        entry.map_or(0, |entry| entry.id.to_bits())
    }

    /// Whom this member probes in the next round, if views do not differ.
    fn next_in_shared_order(&self) -> Option<Slot> {
        let (mine, live) = (self.members.my_place()?, self.members.live() as u32);
        let round = self.probes.heard_round.max(self.probes.round + 1);
        let offset = self.probes.shared.offset_now(round, live - 1)?;
        self.members.further(mine, offset)
    }

    /// Who probes this member in a round of the shared order.
    fn asker_in(&self, round: u64) -> Option<Slot> {
        match self.config.params().order {
            ProbeOrder::Shared => {}
            ProbeOrder::Own => return None,
        }
        let (mine, live) = (self.members.my_place()?, self.members.live() as u32);
        let offset = self.probes.shared.offset_now(round, live - 1)?;
        self.members.further(mine, live - offset)
    }

    /// A datagram without news: for those who are not members, or not others.
    pub(super) fn send_bare(&mut self, to: SocketAddr, body: Body) {
        let packet = Packet::bare(self.tag, self.me, body);
        self.outputs.push_back(super::Output::Send { to, packet });
    }

    fn answer_ping(&mut self, from: SocketAddr, sender: Option<Slot>, sequence: Sequence) {
        // Who is not thought to be alive is told, so that it can contradict. [LG: buddy]
        let accusation = sender.and_then(|slot| self.accusation_of(slot));
        let asker = match sender {
            Some(_) => Asker::Known,
            None => Asker::Unknown,
        };
        let view = ViewTag(self.members.view() as u16);
        let body = Body::Ack {
            sequence,
            view,
            metadata: self.metadata_tag(sequence),
            asker,
        };
        self.send(from, body, accusation);
    }

    fn hearsay_of(&self, origin: MemberId) -> Hearsay {
        let lately = self.now.before(self.config.params().probe_interval * 2);
        let heard_at = self
            .members
            .find(origin)
            .and_then(|slot| self.members.entry(slot).heard_at());
        match heard_at {
            Some(at) if at >= lately => Hearsay::Heard,
            Some(_) | None => Hearsay::NotHeard,
        }
    }

    /// What is said of a member that is not thought to be alive, for the member itself.
    pub(super) fn accusation_of(&self, slot: Slot) -> Option<Update> {
        match self.config.params().buddy {
            Buddy::On => self.charge_against(slot),
            Buddy::Pings | Buddy::Off => None,
        }
    }

    /// The same in a ping to it.
    fn accusation_in_ping(&self, slot: Slot) -> Option<Update> {
        match self.config.params().buddy {
            Buddy::On | Buddy::Pings => self.charge_against(slot),
            Buddy::Off => None,
        }
    }

    fn charge_against(&self, slot: Slot) -> Option<Update> {
        let entry = self.members.entry(slot);
        let (member, incarnation) = (entry.id, entry.claim().incarnation);
        match entry.claim().state {
            State::Alive => None,
            State::Suspect => {
                let accusers = self
                    .suspicions
                    .get(slot)
                    .map(|suspicion| &suspicion.accusers);
                let by = accusers.and_then(|accusers| accusers.first());
                Some(Update::Suspect {
                    member,
                    incarnation,
                    by: by.copied().unwrap_or(self.me),
                })
            }
            State::Dead => Some(Update::Dead {
                member,
                incarnation,
                by: self.me,
            }),
            State::Left => Some(Update::Left {
                member,
                incarnation,
            }),
        }
    }

    /// A new period: the next member has its turn.
    pub(super) fn begin_period(&mut self) {
        let interval = self.config.params().probe_interval;
        self.probes.next_period = self.now.after(self.health.scale(interval));
        self.probes.advance();
        self.repeat_accusations();
        if let Some(slot) = self.choose() {
            self.counters.probes += 1;
            self.probe(slot, Purpose::Period);
        }
    }

    /// Whose turn it is.
    fn choose(&mut self) -> Option<Slot> {
        let place = self.members.my_place()?;
        let others = (self.members.live() - 1) as u32;
        if others == 0 {
            return None;
        }
        let shared = match self.config.params().order {
            ProbeOrder::Shared => self.disagreements == 0,
            ProbeOrder::Own => false,
        };
        let offset = if shared {
            self.probes.shared.offset(self.probes.round, others)
        } else {
            self.counters.own_order_rounds += 1;
            self.probes.own_round += 1;
            self.probes.own.offset(self.probes.own_round, others)
        };
        self.members.further(place, offset)
    }

    /// How long the direct way to a member may take.
    pub(super) fn direct_time(&self, slot: Slot) -> Duration {
        let params = self.config.params();
        let time = match params.timing {
            Timing::Fixed => params.probe_timeout,
            Timing::Measured => {
                let patience = self.members.entry(slot).round_trip.patience();
                let (least, most) = (params.probe_timeout_least, params.probe_timeout);
                patience.map_or(most, |patience| patience.clamp(least, most))
            }
        };
        self.health.scale(time)
    }

    /// How long a probe of a member may take in all.
    fn probe_time(&self, direct: Duration, purpose: Purpose) -> Duration {
        let params = self.config.params();
        let interval = self.health.scale(params.probe_interval);
        match params.timing {
            Timing::Fixed => interval,
            // The way round takes two round trips.
            Timing::Measured => {
                let least = match purpose {
                    Purpose::Period
                    | Purpose::Confirm
                    | Purpose::Link
                    | Purpose::LastWord
                    | Purpose::Heal => params.probe_timeout,
                    // There was time to answer before it was asked.
                    Purpose::Silence => params.probe_timeout / 2,
                };
                (direct * 3).clamp(self.health.scale(least), interval)
            }
        }
    }

    pub(super) fn probe(&mut self, slot: Slot, purpose: Purpose) {
        let direct = self.direct_time(slot);
        let entry = self.members.entry(slot);
        let (target, to) = (entry.id, self.members.address(slot));
        let sequence = self.probes.next_sequence();
        let indirect_at = match purpose {
            Purpose::Period | Purpose::Confirm | Purpose::Silence => Some(self.now.after(direct)),
            Purpose::Link => Some(self.now),
            Purpose::Heal | Purpose::LastWord => None,
        };
        self.probes.add(Probe {
            target,
            slot,
            sequence,
            purpose,
            began: self.now,
            indirect_at,
            verdict_at: self.now.after(self.probe_time(direct, purpose)),
            relays: alloc::vec::Vec::new(),
            stream: None,
        });
        let round = self.probes.round;
        let accusation = self.accusation_in_ping(slot);
        self.send(to, Body::Ping { sequence, round }, accusation);
    }

    /// The direct way took too long: others are asked, and a stream is tried, all at once.
    pub(super) fn ask_others(&mut self) {
        let Some(probe) = self.probes.overdue(self.now) else {
            return;
        };
        let (target, sequence, verdict_at) = (probe.target, probe.sequence, probe.verdict_at);
        let purpose = probe.purpose;
        let Some(slot) = self.members.find(target) else {
            return;
        };
        let params = self.config.params();
        let (count, mut stream) = (params.indirect_probes, params.stream_probe);
        if purpose == Purpose::Link {
            // That it passes says nothing of datagrams.
            stream = StreamProbe::Off;
        }
        let fit = |entry: &super::members::Entry| {
            entry.id != target && entry.claim().state == State::Alive
        };
        let relays = self.members.sample(&mut self.rng, count, fit);
        for &relay in &relays {
            let to = self.members.address(relay);
            self.send(to, Body::AskPing { sequence, target }, None);
        }
        let opened = match stream {
            StreamProbe::Off => None,
            StreamProbe::On => {
                let request = Request::Ping {
                    label: self.config.params().label.clone(),
                    from: self.me,
                };
                let to = self.members.address(slot);
                self.ask(to, Errand::Probe(target), request, verdict_at)
            }
        };
        let relays = relays.iter().map(|&relay| self.members.entry(relay).id);
        let relays = relays.map(|relay| (relay, Outcome::Silence)).collect();
        if let Some(probe) = self.probes.find_mut(sequence) {
            probe.relays = relays;
            probe.stream = opened.map(|exchange| (exchange, Outcome::Silence));
        }
    }

    fn take_ack(
        &mut self,
        from: SocketAddr,
        (by, sender): (MemberId, Option<Slot>),
        sequence: Sequence,
        (view, metadata): (ViewTag, MetadataTag),
        asker: Asker,
    ) {
        if asker == Asker::Unknown {
            let introduction = self.introduction();
            self.send(from, Body::Gossip, Some(introduction));
        }
        let Some(probe) = self.probes.answered(sequence, by) else {
            if sender
                .and_then(|slot| self.note_link_ping(slot, sequence))
                .is_none()
            {
                self.reject(from, Reject::Unasked);
            }
            return;
        };
        self.health.better();
        let Some(slot) = sender else {
            return;
        };
        let sample = self.now.since(probe.began);
        let entry = self.members.entry_mut(slot);
        entry.round_trip.add(sample);
        self.flapping.note_answer(slot);
        self.note_direct_way(slot, &probe);
        match probe.purpose {
            Purpose::Period => {
                self.compare_views(slot, view);
                self.compare_metadata(slot, sequence, metadata);
            }
            Purpose::Confirm | Purpose::Link | Purpose::LastWord => {}
            Purpose::Silence => self.end_silence(slot),
            Purpose::Heal => self.sync_with(slot),
        }
    }

    fn compare_views(&mut self, slot: Slot, view: ViewTag) {
        if view == ViewTag(self.members.view() as u16) {
            self.disagreements = 0;
            return;
        }
        self.disagreements += 1;
        // What was dropped does not come round.
        let lost = self.counters.news_dropped > self.news_dropped_at_sync;
        if lost || self.disagreements.is_multiple_of(DISAGREEMENTS_BEFORE_SYNC) {
            self.sync_with(slot);
        }
    }

    /// A probe was answered, but not on the direct way. One lost datagram says nothing of a link;
    /// some in a row do.
    pub(super) fn end_detour(&mut self, probe: &Probe, origin: Option<Hearsay>) {
        self.health.better();
        self.counters.detours += 1;
        let Some(slot) = self.members.find(probe.target) else {
            return;
        };
        self.flapping.note_answer(slot);
        if probe.purpose == Purpose::Silence {
            self.end_silence(slot);
        }
        self.note_detour(slot, probe, origin);
    }

    /// The time of probes is over.
    pub(super) fn decide_probes(&mut self) {
        while let Some(probe) = self.probes.expired(self.now) {
            if probe.purpose == Purpose::Link
                && let Some(slot) = self.members.find(probe.target)
            {
                self.ask_again_of_link(slot);
            }
            match probe.purpose {
                Purpose::Heal | Purpose::Link | Purpose::LastWord => continue,
                Purpose::Period | Purpose::Confirm | Purpose::Silence => {}
            }
            self.counters.probes_failed += 1;
            // A relay that nacks shows that we are heard, and hear. [LG]
            let missed = probe.missed_nacks();
            if probe.relays.is_empty() {
                self.health.worse(1);
            } else {
                self.health.worse(missed);
            }
            if let Some(slot) = self.members.find(probe.target) {
                self.hold_against(slot, &probe);
            }
        }
    }

    /// A probe was not answered. Who was heard since, by whatever it said, is alive all the same:
    /// answers got lost, or pings do.
    fn hold_against(&mut self, slot: Slot, probe: &Probe) {
        let heard_at = self.members.entry(slot).heard_at();
        if heard_at.is_some_and(|at| at > probe.began) {
            return;
        }
        match probe.purpose {
            Purpose::Silence => self.silence(slot, probe.attempts()),
            Purpose::Period | Purpose::Confirm if self.asks_again(slot) => {
                self.probe(slot, Purpose::Confirm);
            }
            Purpose::Period | Purpose::Confirm => self.accuse(slot, probe.attempts()),
            Purpose::Link | Purpose::Heal | Purpose::LastWord => {}
        }
    }

    /// Whether a member that missed a probe is asked once more before it is accused, as it has
    /// contradicted again and again.
    fn asks_again(&mut self, slot: Slot) -> bool {
        let params = self.config.params();
        let accused = self.members.entry(slot).claim().state != State::Alive;
        if accused || params.suspicion == SuspicionRule::Logarithmic {
            return false;
        }
        self.flapping.note_missed(slot, self.now, params) == Missed::AskAgain
    }

    /// Those who stand next to a suspect on the ring probe it at once, as many as are needed to
    /// agree and one more, as the accuser may be one of them.
    pub(super) fn confirm_or_refute(&mut self, slot: Slot, needed: u32) {
        let by_turns = self.config.params().suspicion == SuspicionRule::Logarithmic;
        if by_turns || self.stage != Stage::Running {
            return;
        }
        let suspect = self.members.entry(slot).id;
        let (Some(mine), Some(its)) = (self.members.my_place(), self.members.place(suspect)) else {
            return;
        };
        let live = self.members.live();
        let distance = (mine + live - its) % live;
        if distance <= needed as usize + 1 && !self.probes.is_probing(suspect) {
            self.probe(slot, Purpose::Confirm);
        }
    }
}
