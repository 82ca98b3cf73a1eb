//! What members ask each other about keys, as bytes. It is said over sealed streams only.

use std::net::SocketAddr;

use auscult_core::bounds::MEMBERS_MAX;
use auscult_core::swim::{MemberName, State};

use super::ring::{Changed, KEY_BYTES, KEYS_MAX, Key, KeyId, RingRefusal};

/// The first byte of every message about keys.
pub(crate) const MAGIC: u8 = 0xB2;

/// What is to be done with keys.
#[derive(Clone, Debug)]
pub enum KeyCommand {
    /// Nothing: which ones are there?
    List,
    /// Add one that opens.
    Install(Key),
    /// Seal with this one from now on.
    Use(KeyId),
    /// Take one out.
    Remove(KeyId),
}

/// Who is to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The member that is asked.
    Here,
    /// All members, through the one that is asked.
    Everywhere,
}

/// What a command did at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// It was done; or listed.
    Done,
    /// It was so already. State: unchanged.
    Already,
    /// The ring refused. State: unchanged.
    Refused(RingRefusal),
    /// The key file could not be written; the member's log says why. State: unchanged.
    Unsaved,
    /// The member could not be asked, or did not answer in time. State: unknown.
    Unreachable,
    /// The member is dead, and was not asked.
    Absent,
    /// The member was not asked to change anything, because not all were ready for it.
    Withheld,
    /// The member has no keys.
    Keyless,
}

impl KeyOutcome {
    const ALL: [Self; 11] = [
        Self::Done,
        Self::Already,
        Self::Refused(RingRefusal::Full),
        Self::Refused(RingRefusal::Twin),
        Self::Refused(RingRefusal::Unknown),
        Self::Refused(RingRefusal::Primary),
        Self::Unsaved,
        Self::Unreachable,
        Self::Absent,
        Self::Withheld,
        Self::Keyless,
    ];

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Refused(refusal) => refusal.as_str(),
            Self::Unsaved => "unsaved",
            Self::Unreachable => "unreachable",
            Self::Absent => "absent",
            Self::Withheld => "withheld",
            Self::Keyless => "keyless",
        }
    }
}

impl From<Result<Changed, RingRefusal>> for KeyOutcome {
    fn from(result: Result<Changed, RingRefusal>) -> Self {
        match result {
            Ok(Changed::Done) => Self::Done,
            Ok(Changed::Already) => Self::Already,
            Err(refusal) => Self::Refused(refusal),
        }
    }
}

/// What a member says of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKeys {
    /// Its name.
    pub name: MemberName,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is said to be.
    pub state: State,
    /// What the command did there.
    pub outcome: KeyOutcome,
    /// What its keys are called, the primary one first; none when it did not say.
    pub ids: Vec<KeyId>,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// Every living member has done it, or had before.
    Done,
    /// Some have not; the others have.
    Incomplete,
    /// Nobody was asked to do it: some living member does not have the key yet.
    NotInstalled,
    /// Nobody was asked to do it: some living member seals with the key.
    InUse,
    /// Nobody was asked to do it: some living member could not say whether it is ready.
    Unknown,
}

impl KeyVerdict {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::Incomplete,
        Self::NotInstalled,
        Self::InUse,
        Self::Unknown,
    ];

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::NotInstalled => "not_installed",
            Self::InUse => "in_use",
            Self::Unknown => "unknown",
        }
    }
}

/// What a command did in the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// All in all.
    pub verdict: KeyVerdict,
    /// At each member, in the order of their names.
    pub members: Vec<MemberKeys>,
}

/// Bytes are no message about keys. State: nothing is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(super) fn encode_request(scope: Scope, command: &KeyCommand, out: &mut Vec<u8>) {
    let scope = match scope {
        Scope::Here => 0,
        Scope::Everywhere => EVERYWHERE,
    };
    out.push(MAGIC);
    match command {
        KeyCommand::List => out.push(scope),
        KeyCommand::Install(key) => {
            out.push(scope | 1);
            out.extend_from_slice(key.secret());
        }
        KeyCommand::Use(id) => {
            out.push(scope | 2);
            out.extend_from_slice(&id.0);
        }
        KeyCommand::Remove(id) => {
            out.push(scope | 3);
            out.extend_from_slice(&id.0);
        }
    }
}

pub(super) fn decode_request(bytes: &[u8]) -> Result<(Scope, KeyCommand), Malformed> {
    let mut reader = Reader(bytes);
    if reader.byte()? != MAGIC {
        return Err(Malformed);
    }
    let kind = reader.byte()?;
    let scope = match kind & EVERYWHERE {
        0 => Scope::Here,
        _ => Scope::Everywhere,
    };
    let command = match kind & !EVERYWHERE {
        0 => KeyCommand::List,
        1 => KeyCommand::Install(Key::new(reader.array::<KEY_BYTES>()?)),
        2 => KeyCommand::Use(KeyId(reader.array()?)),
        3 => KeyCommand::Remove(KeyId(reader.array()?)),
        _ => return Err(Malformed),
    };
    reader.end()?;
    Ok((scope, command))
}

/// What one member answers: the outcome, and what its keys are called.
pub(crate) fn encode_answer(outcome: KeyOutcome, ids: &[KeyId], out: &mut Vec<u8>) {
    out.extend_from_slice(&[MAGIC, ANSWER]);
    put_keys(outcome, ids, out);
}

pub(crate) fn decode_answer(bytes: &[u8]) -> Result<(KeyOutcome, Vec<KeyId>), Malformed> {
    let mut reader = Reader(bytes);
    if reader.array()? != [MAGIC, ANSWER] {
        return Err(Malformed);
    }
    let answer = reader.keys()?;
    reader.end()?;
    Ok(answer)
}

pub(crate) fn encode_report(report: &KeyReport, out: &mut Vec<u8>) {
    let verdict = KeyVerdict::ALL
        .iter()
        .position(|one| *one == report.verdict);
    out.extend_from_slice(&[MAGIC, REPORT, verdict.unwrap_or_default() as u8]);
    for member in &report.members {
        let (name, address) = (member.name.as_str(), member.address.to_string());
        for text in [name, &address] {
            out.push(text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
        let state = State::ALL.iter().position(|one| *one == member.state);
        out.push(state.unwrap_or_default() as u8);
        put_keys(member.outcome, &member.ids, out);
    }
}

pub(crate) fn decode_report(bytes: &[u8]) -> Result<KeyReport, Malformed> {
    let mut reader = Reader(bytes);
    if reader.array()? != [MAGIC, REPORT] {
        return Err(Malformed);
    }
    let verdict = reader.one_of(&KeyVerdict::ALL)?;
    let mut members = Vec::new();
    while !reader.0.is_empty() {
        if members.len() >= MEMBERS_MAX {
            return Err(Malformed);
        }
        let name = MemberName::new(reader.text()?).map_err(|_| Malformed)?;
        let address = reader.text()?.parse().map_err(|_| Malformed)?;
        let state = reader.one_of(&State::ALL)?;
        let (outcome, ids) = reader.keys()?;
        members.push(MemberKeys {
            name,
            address,
            state,
            outcome,
            ids,
        });
    }
    Ok(KeyReport { verdict, members })
}

fn put_keys(outcome: KeyOutcome, ids: &[KeyId], out: &mut Vec<u8>) {
    let outcome = KeyOutcome::ALL.iter().position(|one| *one == outcome);
    out.extend_from_slice(&[outcome.unwrap_or_default() as u8, ids.len() as u8]);
    for id in ids {
        out.extend_from_slice(&id.0);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, Malformed> {
        all.get(usize::from(self.byte()?)).copied().ok_or(Malformed)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Malformed)
    }

    fn keys(&mut self) -> Result<(KeyOutcome, Vec<KeyId>), Malformed> {
        let outcome = self.one_of(&KeyOutcome::ALL)?;
        let count = usize::from(self.byte()?);
        if count > KEYS_MAX {
            return Err(Malformed);
        }
        let ids: Result<_, _> = (0..count).map(|_| self.array().map(KeyId)).collect();
        Ok((outcome, ids?))
    }

    const fn end(&self) -> Result<(), Malformed> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Malformed),
        }
    }
}

const EVERYWHERE: u8 = 0x10;
const ANSWER: u8 = 0x20;
const REPORT: u8 = 0x30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_written_and_read() {
        let key = Key::new([7; 32]);
        let commands = [
            KeyCommand::List,
            KeyCommand::Install(key.clone()),
            KeyCommand::Use(key.id()),
            KeyCommand::Remove(key.id()),
        ];
        for command in commands {
            for scope in [Scope::Here, Scope::Everywhere] {
                let mut bytes = Vec::new();
                encode_request(scope, &command, &mut bytes);
                let (read_scope, read) = decode_request(&bytes).expect("what was written");
                assert_eq!(
                    (read_scope, format!("{read:?}")),
                    (scope, format!("{command:?}"))
                );
                bytes.push(0);
                assert!(decode_request(&bytes).is_err());
                bytes.truncate(bytes.len() - 2);
                assert!(decode_request(&bytes).is_err());
            }
        }
    }

    #[test]
    fn reports_are_written_and_read() {
        let ids = vec![KeyId([1; 4]), KeyId([2; 4])];
        let member = |outcome| MemberKeys {
            name: MemberName::new("web-1").expect("a name"),
            address: ([10, 0, 0, 7], 7946).into(),
            state: State::Suspect,
            outcome,
            ids: ids.clone(),
        };
        for verdict in KeyVerdict::ALL {
            let members = KeyOutcome::ALL.map(member).to_vec();
            let report = KeyReport { verdict, members };
            let mut bytes = Vec::new();
            encode_report(&report, &mut bytes);
            assert_eq!(decode_report(&bytes), Ok(report));
        }
        for outcome in KeyOutcome::ALL {
            let mut bytes = Vec::new();
            encode_answer(outcome, &ids, &mut bytes);
            assert_eq!(decode_answer(&bytes), Ok((outcome, ids.clone())));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(kind in 0..0x40_u8, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [vec![MAGIC, kind], bytes].concat();
            let _ = decode_request(&bytes);
            let _ = decode_answer(&bytes);
            if let Ok(report) = decode_report(&bytes) {
                let mut again = Vec::new();
                encode_report(&report, &mut again);
                prop_assert_eq!(decode_report(&again), Ok(report));
            }
        }
    }
}
