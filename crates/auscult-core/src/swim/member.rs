//! Who a member is, and which of two claims about it holds.

use alloc::sync::Arc;
use core::fmt;

use crate::bounds::INCARNATION_MAX;
use crate::id::name_type;
use crate::rng::mix;

/// The name of a member: stable over restarts and addresses, unique within its cluster. Same
/// rules as [`TargetId`](crate::id::TargetId). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(Arc<str>);

name_type!(MemberName);

impl MemberName {
    /// What stands for the name in messages.
    #[must_use]
    pub fn id(&self) -> MemberId {
        MemberId::of(&self.0)
    }
}

/// Stands for a member's name in 8 bytes, the same everywhere: FNV-1a over the name, and
/// SplitMix64's finaliser over that. Two names with one id cannot be in a cluster together; the
/// second is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

impl MemberId {
    /// The id of a name.
    #[must_use]
    pub const fn of(name: &str) -> Self {
        Self(digest(name.as_bytes()))
    }

    /// The id that a message carries.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// What a message carries.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names a cluster. Members of another label are refused: two clusters never merge because one
/// took over the addresses of the other. Same rules as a member's name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Label(Arc<str>);

name_type!(Label);

impl Label {
    /// What stands for the label in datagrams: the low half of the digest that makes a
    /// [`MemberId`] of a name.
    #[must_use]
    pub fn tag(&self) -> LabelTag {
        LabelTag(self.digest() as u32)
    }

    /// The key of the orders that the cluster shares.
    pub(super) fn digest(&self) -> u64 {
        digest(self.0.as_bytes())
    }
}

/// Stands for a [`Label`] in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelTag(pub u32);

const fn digest(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    mix(hash)
}

/// Orders what is said of one member: only the member itself raises its number, to contradict
/// what is said of it or because it was started anew. At most [`INCARNATION_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The incarnation of a member that was never contradicted.
    pub const FIRST: Self = Self(0);

    /// An incarnation with this number; `None` above [`INCARNATION_MAX`]. A shell that keeps
    /// nothing on disk begins with the seconds since 1970, and the records of its earlier runs
    /// are refuted at once.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= INCARNATION_MAX {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after it, or the last one itself.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < INCARNATION_MAX {
            Self(self.0 + 1)
        } else {
            self
        }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a member is said to be. The order of the variants is the order of precedence within one
/// incarnation: see [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers, or nobody says otherwise.
    Alive,
    /// It did not answer somebody, and has not contradicted that yet.
    Suspect,
    /// It had its time to contradict. Its address is kept, and now and then it is asked.
    Dead,
    /// It said goodbye.
    Left,
}

impl State {
    /// Every state, in the order of precedence.
    pub const ALL: [Self; 4] = [Self::Alive, Self::Suspect, Self::Dead, Self::Left];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        }
    }

    /// Whether the member counts as one: it is probed and gossiped to. A suspect is.
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            Self::Alive | Self::Suspect => true,
            Self::Dead | Self::Left => false,
        }
    }
}

/// What is said of a member: its state in one of its incarnations.
///
/// Claims are ordered, and the greater one holds, in whatever order they arrive [SWIM 4.2]. The
/// order is this table, row over column, where `i` is the incarnation of the row and `j` that of
/// the column:
///
/// | new \ known | alive j | suspect j | dead j | left j |
/// |---|---|---|---|---|
/// | alive i   | i > j | i > j | i > j | i > j |
/// | suspect i | i >= j | i > j | i > j | i > j |
/// | dead i    | i >= j | i >= j | i > j | i > j |
/// | left i    | i >= j | i >= j | i >= j | i > j |
///
/// That is the lexicographic order of incarnation and state. It departs from [SWIM 4.2] in one
/// point: there `dead` is final, here a member comes back with a greater incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// In which of its incarnations.
    pub incarnation: Incarnation,
    /// What it is said to be.
    pub state: State,
}

impl Claim {
    /// A claim.
    #[must_use]
    pub const fn new(incarnation: Incarnation, state: State) -> Self {
        Self { incarnation, state }
    }

    /// Whether this claim holds where `known` did.
    #[must_use]
    pub fn overrides(self, known: Self) -> bool {
        self > known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation(number: u64) -> Incarnation {
        Incarnation::new(number).unwrap()
    }

    /// [SWIM 4.2] The table of [`Claim`], written out once more.
    #[test]
    fn precedence_is_the_table() {
        // For (new, known): whether an equal incarnation is enough.
        let enough = [
            (State::Suspect, State::Alive),
            (State::Dead, State::Alive),
            (State::Dead, State::Suspect),
            (State::Left, State::Alive),
            (State::Left, State::Suspect),
            (State::Left, State::Dead),
        ];
        for new in State::ALL {
            for known in State::ALL {
                for (i, j) in [(1, 0), (1, 1), (0, 1)] {
                    let expected = i > j || (i == j && enough.contains(&(new, known)));
                    let new = Claim::new(incarnation(i), new);
                    let known = Claim::new(incarnation(j), known);
                    assert_eq!(new.overrides(known), expected, "{new:?} {known:?}");
                }
            }
        }
    }

    #[test]
    fn suspect_with_higher_incarnation_overrides_dead() {
        let dead = Claim::new(incarnation(3), State::Dead);
        assert!(Claim::new(incarnation(4), State::Suspect).overrides(dead));
    }

    #[test]
    fn incarnations_are_bounded() {
        assert_eq!(Incarnation::new(INCARNATION_MAX + 1), None);
        let last = incarnation(INCARNATION_MAX);
        assert_eq!(last.next(), last);
    }

    /// Golden: these are on the wire.
    #[test]
    fn ids_and_tags_are_stable() {
        let name = MemberName::new("a").unwrap();
        assert_eq!(name.id(), MemberId::from_bits(mix(0xaf63_dc4c_8601_ec8c)));
        let label = Label::new("a").unwrap();
        assert_eq!(label.tag(), LabelTag(name.id().to_bits() as u32));
    }
}
