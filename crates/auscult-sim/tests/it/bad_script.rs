//! A story with mistakes is answered with all of them, each with its line, a caret and what to do.

use auscult_sim::Script;

fn problems(story: &str) -> String {
    Script::parse("story.txt", story).unwrap_err().to_string()
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let story = "\
memebers m 10
members m 3
set probe_intervall 2s
set probe_timeout 2s
5s crsh m1
5s crash m7
5s crash m1 now
4s crash m1
6s partition m0,m1
7s expect m1 daed at all
8s lose 120%
9s stall m1 for 10
members n 3
10s start m1
11s cut for 5s
12s restart m1 at prt
13s set m1 role
14s clock m1 gain 1000000ppm
";
    let expected = "\
story.txt:1:1: `memebers` is no beginning of a line
   |
 1 | memebers m 10
   | ^^^^^^^^
  = help: did you mean `members`? There are seed, preset, set, network, delay, loss, duplicate, \
reorder, members, show, and times, as `30s`
story.txt:3:5: `probe_intervall` is no parameter
   |
 3 | set probe_intervall 2s
   |     ^^^^^^^^^^^^^^^
";
    let found = problems(story);
    assert!(found.starts_with(expected), "{found}");
    let help = "  = help: it is written `crash MEMBERS [host]`\n";
    assert!(found.contains(help), "{found}");
    let heads: Vec<&str> = found
        .lines()
        .filter(|line| line.starts_with("story.txt:"))
        .map(|line| &line["story.txt:".len()..])
        .collect();
    assert_eq!(
        heads,
        [
            "1:1: `memebers` is no beginning of a line",
            "3:5: `probe_intervall` is no parameter",
            "4:19: probe_timeout: 2s must be at most half of probe_interval (500ms)",
            "5:4: `crsh` is no deed",
            "6:10: there is no member `m7`",
            "7:13: nothing more was expected here",
            "8:1: this is earlier than the line above it",
            "9:20: `|` is missing here",
            "10:14: `daed` is no state",
            "11:9: `120%` is no fraction",
            "12:17: `10` is no time",
            "13:1: this belongs above the first line with a time",
            "14:11: there is a member `m1` already",
            "15:9: which ways?",
            "16:19: `prt` is no place",
            "17:12: write it as key=value",
            "18:19: millionths from 0ppm to 500000ppm should be here",
        ]
    );
}

#[test]
fn a_story_needs_members() {
    assert_eq!(
        problems("seed 3\n"),
        "story.txt:1:1: there are no members in this story\n   |\n 1 | seed 3\n   | ^\n  \
         = help: begin with a line like `members m 10`\n"
    );
    assert!(Script::parse("empty.txt", "").is_err());
}

/// Whatever stands in a file, the answer is a story or problems, never a panic.
#[test]
fn no_text_panics() {
    let good = include_str!("../../scenarios/metadata.txt");
    for cut in 0..good.len() {
        if good.is_char_boundary(cut) {
            let _ = Script::parse("cut.txt", &good[..cut]);
            let _ = Script::parse("cut.txt", &good[cut..]);
        }
    }
    let words = [
        "5s", "é", "..", "m0..", "|", "/", "%", "1.s", "\"", "members", "-1s", "=",
    ];
    let mut rng = auscult_core::rng::Rng::new(1);
    for _ in 0..5_000 {
        let mut text = String::from("members m 3\n");
        for _ in 0..8 {
            let heads = [
                "5s", "set", "members", "lose", "cut", "expect", "clock", "tell", "start",
            ];
            text += heads[rng.below(heads.len() as u64) as usize];
            for _ in 0..rng.below(5) {
                text = text + " " + words[rng.below(words.len() as u64) as usize];
            }
            text += "\n";
        }
        let _ = Script::parse("random.txt", &text);
    }
}
