//! An event of the membership as one line for people, stable enough for programs to match.

use std::fmt::Write as _;
use std::time::Duration;

use auscult_core::swim::{
    Accusation, Accuser, Direction, Event, EventKind, Link, Outcome, Path, Swim,
};

/// Says what happened, with the names that the machine knows. Every line about a member begins with
/// `member` and its name, and what follows begins with `joined`, `moved`, `came back`, `changed`
/// (its metadata), `is suspected`, `refuted`, `failed`, `left`, `is forgotten`, `link:` or `is a
/// name`.
#[must_use]
pub(crate) fn sentence(event: &Event, swim: &Swim) -> String {
    let mut text = format!("member {} ", event.member);
    // Writing to a string cannot fail.
    let _ = tell(&event.kind, swim, &mut text);
    text
}

fn tell(kind: &EventKind, swim: &Swim, text: &mut String) -> std::fmt::Result {
    match kind {
        EventKind::Joined {
            address, before, ..
        } => {
            write!(text, "joined {address}")?;
            match before {
                None => Ok(()),
                Some(before) => write!(text, ", it was {}", before.as_str()),
            }
        }
        EventKind::Updated { keys, .. } if !keys.is_empty() => {
            text.push_str("changed");
            for (at, key) in keys.iter().enumerate() {
                let separator = if at > 0 { "," } else { "" };
                write!(text, "{separator} {}", key.as_str())?;
            }
            Ok(())
        }
        EventKind::Updated {
            before, address, ..
        } if before == address => write!(text, "came back {address}"),
        EventKind::Updated {
            before, address, ..
        } => write!(text, "moved {address} from {before}"),
        EventKind::Suspected(accusation) => tell_suspected(accusation, swim, text),
        EventKind::Refuted {
            after, accusers, ..
        } => {
            write!(text, "refuted after {}, suspected by ", span(*after))?;
            tell_accusers(accusers, text)
        }
        EventKind::Failed { by, accusation } => {
            write!(text, "failed: convicted by {}", name(by))?;
            if !accusation.accusers.is_empty() {
                text.push_str(", suspected by ");
                tell_accusers(&accusation.accusers, text)?;
            }
            Ok(())
        }
        EventKind::Left => write!(text, "left"),
        EventKind::Forgotten { was } => write!(text, "is forgotten, it was {}", was.as_str()),
        EventKind::LinkChanged { link } => tell_link(*link, text),
        EventKind::NameConflict { address } => {
            write!(text, "is a name that another process at {address} uses too")
        }
        // The enum may grow; its code says what it is.
        other => text.write_str(other.as_str()),
    }
}

fn tell_suspected(accusation: &Accusation, swim: &Swim, text: &mut String) -> std::fmt::Result {
    text.push_str("is suspected by ");
    tell_accusers(&accusation.accusers, text)?;
    if !accusation.attempts.is_empty() {
        text.push_str(": ");
    }
    for (at, attempt) in accusation.attempts.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        match &attempt.path {
            Path::Direct => text.push_str("direct "),
            Path::Heartbeats { level, threshold } => write!(
                text,
                "heartbeats (level {:.1}, threshold {:.1}) ",
                level.get(),
                threshold.get()
            )?,
            Path::Relay(relay) => match swim.member_by_id(*relay) {
                Some(relay) => write!(text, "by way of {} ", relay.name())?,
                None => write!(text, "by way of {relay:?} ")?,
            },
            Path::Stream => text.push_str("stream "),
        }
        match attempt.outcome {
            Outcome::Silence => text.push_str("silence"),
            Outcome::Nack => text.push_str("nack"),
            Outcome::Broken(failure) => text.push_str(failure.as_str()),
        }
    }
    match &accusation.deadline {
        None => Ok(()),
        Some(deadline) => write!(
            text,
            "; has {} to contradict",
            span(deadline.at.since(deadline.since))
        ),
    }
}

fn tell_accusers(accusers: &[Accuser], text: &mut String) -> std::fmt::Result {
    for (at, accuser) in accusers.iter().enumerate() {
        let separator = if at > 0 { ", " } else { "" };
        write!(text, "{separator}{}", name(accuser))?;
    }
    Ok(())
}

fn name(accuser: &Accuser) -> String {
    match &accuser.name {
        Some(name) => name.to_string(),
        None => format!("{:?}", accuser.id),
    }
}

fn tell_link(link: Link, text: &mut String) -> std::fmt::Result {
    let heard = match link.hears {
        Direction::Unknown => "not heard yet",
        Direction::Passes => "heard here",
        Direction::Blocked => "not heard here",
    };
    let hears = match link.heard {
        Direction::Unknown => "not known to hear this member",
        Direction::Passes => "hears this member",
        Direction::Blocked => "does not hear this member",
    };
    write!(text, "link: it is {heard}, and {hears}")
}

fn span(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.1} s", span.as_secs_f64())
    }
}
