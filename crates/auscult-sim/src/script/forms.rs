//! How each line of a story is written: for the help beside what is wrong with one, and in
//! `docs/simulator.md` for people who begin.

/// The first word of what happens, and the whole of it; what is in brackets may be left out.
pub(super) const DEEDS: [(&str, &str); 23] = [
    ("crash", "crash MEMBERS [host]"),
    (
        "restart",
        "restart MEMBERS [forgetful] [at port|at host] [via MEMBERS]",
    ),
    (
        "start",
        "start NAME [COUNT | named NAME] [label LABEL] [via MEMBERS]",
    ),
    ("join", "join MEMBERS via MEMBERS"),
    ("leave", "leave MEMBERS"),
    ("stall", "stall MEMBERS [messages|sending] [for TIME]"),
    ("resume", "resume MEMBERS"),
    ("slow", "slow MEMBERS TIME"),
    (
        "clock",
        "clock MEMBERS forward TIME | back TIME | gain 500ppm | lose 500ppm",
    ),
    (
        "partition",
        "partition MEMBERS | MEMBERS [flip TIME/TIME] [for TIME]",
    ),
    ("cut", "cut WAYS [flip TIME/TIME] [for TIME]"),
    ("lose", "lose LOSS [WAYS] [flip TIME/TIME] [for TIME]"),
    ("delay", "delay DELAY [WAYS] [flip TIME/TIME] [for TIME]"),
    ("lift", "lift NUMBER"),
    ("heal", "heal"),
    ("set", "set MEMBERS KEY=VALUE"),
    ("unset", "unset MEMBERS KEY"),
    ("tell", "tell MEMBERS \"TEXT\" [as KEY]"),
    ("watch", "watch MEMBERS MEMBERS"),
    ("unwatch", "unwatch MEMBERS MEMBERS"),
    ("limit", "limit MEMBERS COUNT"),
    ("expect", "expect [within TIME] CLAIM [at MEMBERS]"),
    ("end", "end"),
];

/// The whole of what begins with this word.
pub(super) fn of_deed(word: &str) -> Option<&'static str> {
    let mut deeds = DEEDS.iter();
    deeds.find(|(name, _)| *name == word).map(|(_, form)| *form)
}

#[cfg(test)]
mod tests {
    use super::DEEDS;

    #[test]
    fn the_manual_has_every_form() {
        let manual = include_str!("../../../../docs/simulator.md");
        for (_, form) in DEEDS {
            assert!(manual.contains(form), "docs/simulator.md: {form}");
        }
    }
}
