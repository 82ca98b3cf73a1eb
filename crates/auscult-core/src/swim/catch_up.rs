//! How members get each other's metadata: changes with the news, and what is missing over streams.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::event::{EventKind, Reject};
use super::exchanges::Errand;
use super::gossip::DISAGREEMENTS_BEFORE_SYNC;
use super::input::ExchangeId;
use super::member::{Claim, Incarnation, MemberId};
use super::members::{ME, Slot};
use super::message::{Answer, BODY_BYTES_MAX, Request, Sequence, Want};
use super::metadata::{Delta, Key, MetadataNews, MetadataRefusal, MetadataTag, Stamp, Taken};
use super::{Stage, Swim};
use crate::bounds::{METADATA_ANSWER_BYTES_MAX, METADATA_ASKS_MAX};
use crate::rng::mix;
use crate::time::Instant;

/// How a member learnt that there is something newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// By news, which it sends on.
    News,
    /// By comparing what is known: the others have it, but for those that have an older copy too.
    /// Who joins does not tell everybody what everybody has.
    Sync,
}

/// Whose metadata is asked for on a stream, in the order of their ids.
#[derive(Debug)]
pub(super) struct MetadataAsk {
    exchange: ExchangeId,
    via: Via,
    members: Vec<MemberId>,
}

impl Swim {
    /// Sets a key of this member's metadata, or removes it; a value that is there already changes
    /// nothing. All members are told of the change, and of no more.
    ///
    /// # Errors
    /// Why it was not changed. State: unchanged.
    pub fn set_metadata(
        &mut self,
        now: Instant,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), MetadataRefusal> {
        self.begin(now);
        let changed = self.change_metadata(key, value);
        self.end();
        changed
    }

    fn change_metadata(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), MetadataRefusal> {
        if self.stage != Stage::Running {
            return Err(MetadataRefusal::Leaving);
        }
        let key = Key::new(key).map_err(MetadataRefusal::Key)?;
        let before = self.members.stamp(ME);
        let set = |metadata: &mut super::metadata::Metadata| metadata.set(key, value);
        if self.members.change_metadata(ME, set)? {
            self.spread_metadata(ME, before, before.version);
        }
        Ok(())
    }

    /// Queues what changed since a copy was worth this much, or since an older version that
    /// others may have, together with what is queued.
    fn spread_metadata(&mut self, slot: Slot, before: Stamp, since: u64) {
        let entry = self.members.entry(slot);
        let mut copy = before;
        copy.version = copy.version.min(since);
        if let Some(MetadataNews::Delta(queued)) = self.metadata_news.about(entry.id)
            && queued.stamp == before
        {
            copy.version = copy.version.min(queued.since);
        }
        let delta = self.members.delta(slot, copy);
        let room = self.config.params().datagram_bytes - BODY_BYTES_MAX;
        let news = if delta.bytes_max() <= room {
            MetadataNews::Delta(delta)
        } else {
            let (member, stamp) = (delta.member, delta.stamp);
            MetadataNews::Stamp { member, stamp }
        };
        self.counters.news_dropped += self.metadata_news.add(news);
        self.keep_gossiping();
    }

    /// News from a datagram. `teller` has at least what it tells of.
    pub(super) fn take_metadata_news(
        &mut self,
        from: SocketAddr,
        teller: MemberId,
        news: MetadataNews,
    ) {
        let member = news.member();
        let behind = match news {
            MetadataNews::Stamp { stamp, .. } => self.lacks(member, stamp),
            MetadataNews::Delta(delta) => self.take_delta(from, &delta, Via::News) == Taken::Behind,
        };
        // Nobody is asked whom a datagram only names.
        let teller = self.members.find(teller).filter(|&slot| slot != ME);
        let teller = teller.filter(|&slot| self.members.is_at(slot, from));
        if behind && teller.is_some() {
            self.ask_metadata(from, Via::News, [member].into());
        }
    }

    /// Whether a stamp shows that there is something to ask for. What can be had without asking
    /// is done.
    fn lacks(&mut self, member: MemberId, stamp: Stamp) -> bool {
        if member == self.me {
            self.hear_of_my_metadata(stamp);
            return false;
        }
        let Some(slot) = self.members.find(member) else {
            return false;
        };
        let entry = self.members.entry(slot);
        let heard_of = stamp.epoch <= entry.claim().incarnation;
        if !heard_of || stamp <= self.members.stamp(slot) {
            return false;
        }
        if stamp.version > 0 {
            return true;
        }
        let nothing = Delta {
            member,
            stamp,
            since: 0,
            items: Vec::new(),
        };
        let address = self.members.address(slot);
        let _taken = self.take_delta(address, &nothing, Via::Sync);
        false
    }

    fn take_delta(&mut self, from: SocketAddr, delta: &Delta, via: Via) -> Taken {
        if delta.member == self.me {
            self.hear_of_my_metadata(delta.stamp);
            return Taken::Known;
        }
        let Some(slot) = self.members.find(delta.member) else {
            return Taken::Known;
        };
        let entry = self.members.entry(slot);
        if delta.stamp.epoch > entry.claim().incarnation {
            return Taken::Known;
        }
        let before = self.members.stamp(slot);
        let room = self.members.metadata_room(slot);
        let take = |metadata: &mut super::metadata::Metadata| metadata.take(delta, room);
        let taken = self.members.change_metadata(slot, take);
        match &taken {
            Taken::Changed(keys) => {
                if !keys.is_empty() {
                    self.tell_metadata(slot, keys.clone());
                }
                if before.version > 0 || via == Via::News {
                    self.spread_metadata(slot, before, delta.since);
                }
            }
            Taken::Refused => self.reject(from, Reject::Metadata),
            Taken::Known | Taken::Behind => {}
        }
        taken
    }

    fn tell_metadata(&mut self, slot: Slot, keys: Vec<Key>) {
        let entry = self.members.entry(slot);
        let (address, incarnation) = (self.members.address(slot), entry.claim().incarnation);
        let kind = EventKind::Updated {
            before: address,
            address,
            incarnation,
            keys,
        };
        self.say(slot, kind);
    }

    /// Somebody has metadata of this member that is newer than this member's: an earlier run's, or
    /// another process's. What this member says is to hold.
    fn hear_of_my_metadata(&mut self, stamp: Stamp) {
        if stamp > self.members.stamp(ME) {
            self.begin_epoch_after(stamp.epoch);
        }
    }

    /// What this member says is to hold against all that is said in its name in this epoch.
    pub(super) fn begin_epoch_after(&mut self, epoch: Incarnation) {
        let claim = self.members.entry(ME).claim();
        self.counters.refutations += 1;
        let incarnation = claim.incarnation.max(epoch).next();
        self.renew_metadata(Claim::new(incarnation, claim.state));
        self.speak_for_myself(Claim::new(incarnation, claim.state));
    }

    /// What this member has holds from this incarnation on.
    pub(super) fn renew_metadata(&mut self, claim: Claim) {
        let before = self.members.stamp(ME);
        self.members
            .change_metadata(ME, |metadata| metadata.renew(claim.incarnation));
        self.spread_metadata(ME, before, 0);
    }

    /// Asks a member for what it has more of.
    pub(super) fn ask_metadata(&mut self, to: SocketAddr, via: Via, mut members: Vec<MemberId>) {
        let asked = |member: &MemberId| {
            let mut asks = self.metadata_asks.iter();
            asks.any(|ask| ask.members.binary_search(member).is_ok())
        };
        members.retain(|member| !asked(member));
        members.sort_unstable();
        members.dedup();
        let full = self.metadata_asks.len() >= METADATA_ASKS_MAX;
        if members.is_empty() || full || self.stage != Stage::Running {
            return;
        }
        let wants = members.iter().filter_map(|&member| {
            let slot = self.members.find(member)?;
            let stamp = self.members.stamp(slot);
            Some(Want { member, stamp })
        });
        let params = self.config.params();
        let request = Request::Metadata {
            label: params.label.clone(),
            from: self.me,
            wants: wants.collect(),
        };
        let until = self.now.after(params.stream_timeout);
        if let Some(exchange) = self.ask(to, Errand::Metadata, request, until) {
            self.counters.metadata_asks += 1;
            self.metadata_asks.push(MetadataAsk {
                exchange,
                via,
                members,
            });
        }
    }

    /// Another member asks for what it lacks.
    pub(super) fn answer_metadata(&self, wants: &[Want]) -> Answer {
        let mut deltas = Vec::new();
        let (mut bytes, mut left) = (0, wants.len() as u64);
        for want in wants {
            if bytes >= METADATA_ANSWER_BYTES_MAX {
                break;
            }
            left -= 1;
            let slot = self.members.find(want.member);
            let Some(slot) = slot else {
                continue;
            };
            if self.members.stamp(slot) > want.stamp {
                let delta = self.members.delta(slot, want.stamp);
                bytes += delta.bytes_max();
                deltas.push(delta);
            }
        }
        let from = self.me;
        Answer::Metadata { from, deltas, left }
    }

    /// Takes what was asked for, and asks for what is left.
    pub(super) fn take_metadata(
        &mut self,
        exchange: ExchangeId,
        from: SocketAddr,
        deltas: &[Delta],
        left: u64,
    ) {
        let Some(ask) = self.end_metadata_ask(exchange) else {
            self.reject(from, Reject::Unasked);
            return;
        };
        for delta in deltas {
            let _taken = self.take_delta(from, delta, ask.via);
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        // An answer that leaves something has something.
        if left < ask.members.len() && !deltas.is_empty() {
            let answered = ask.members.len() - left;
            self.ask_metadata(from, ask.via, ask.members[answered..].to_vec());
        }
    }

    /// A stream for metadata is closed.
    pub(super) fn end_metadata_ask(&mut self, exchange: ExchangeId) -> Option<MetadataAsk> {
        let mut asks = self.metadata_asks.iter();
        let at = asks.position(|ask| ask.exchange == exchange)?;
        Some(self.metadata_asks.swap_remove(at))
    }

    /// What another member's record says of its metadata: whether there is something to ask for.
    pub(super) fn hear_of_stamps(&mut self, from: SocketAddr, stamps: Vec<(MemberId, Stamp)>) {
        let lacking: Vec<MemberId> = stamps
            .into_iter()
            .filter(|&(member, stamp)| self.lacks(member, stamp))
            .map(|(member, _)| member)
            .collect();
        self.ask_metadata(from, Via::Sync, lacking);
    }

    pub(super) fn metadata_tag(&self, sequence: Sequence) -> MetadataTag {
        match self.members.metadata_digest() {
            0 => MetadataTag(0),
            digest => MetadataTag(mix(digest ^ u64::from(sequence.0)) as u8),
        }
    }

    /// What an ack shows of the other one's copies. While there is news of metadata here, some
    /// lack it; and views that differ are compared first.
    pub(super) fn compare_metadata(&mut self, slot: Slot, sequence: Sequence, tag: MetadataTag) {
        if tag == self.metadata_tag(sequence) {
            self.metadata_disagreements = 0;
            return;
        }
        if self.disagreements > 0 || !self.metadata_news.is_empty() {
            return;
        }
        self.metadata_disagreements += 1;
        let (so_often, enough) = (self.metadata_disagreements, DISAGREEMENTS_BEFORE_SYNC);
        // Less and less often, as there may be no room for what is missing.
        if so_often.is_multiple_of(enough) && (so_often / enough).is_power_of_two() {
            self.sync_with(slot);
        }
    }
}
