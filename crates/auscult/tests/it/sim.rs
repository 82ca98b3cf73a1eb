//! Simulations: what people see, what programs read, and the exit code that says whether all was
//! well.

use crate::process::{run_with_input, stderr, stdout};

const STORY: &str = "\
members m 5
5s crash m3
5s expect within 8s m3 dead at all
20s expect no verdict of m0..m2,m4
20s end
";

#[test]
fn a_story_that_goes_as_it_says_is_code_0() {
    let output = run_with_input(["sim", "run", "-", "--trace"], STORY);
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for part in [
        "-: 5 members, seed 1",
        "5.000s * crash m3",
        "m0: m3 failed (convicted by",
        "met     within 8s m3 dead at m0..m4",
        "2 of 2 expectations met, checkers found 0, 4 verdicts",
        "messages/s",
        "again: auscult sim run - --seed 1",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn programs_get_one_document() {
    let args = ["sim", "run", "-", "--output", "json", "--seed", "9"];
    let output = run_with_input(args, STORY);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["seed"], 9);
    assert_eq!(document["members"], 5);
    assert_eq!(document["expectations"][0]["met"], true);
    assert_eq!(document["findings"], serde_json::json!([]));
    assert!(document["messages_delivered"].as_u64() > Some(100));
    assert!(document.get("trace").is_none());
}

#[test]
fn a_story_that_does_not_is_code_1_and_says_how_to_see_it_again() {
    let story = "members m 3\n5s crash m1\n6s expect m0 dead at m2\n";
    let output = run_with_input(["sim", "run", "-"], story);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.contains("no, m0 is alive at m2"), "{said}");
    let said = stderr(&output);
    assert!(said.contains("again: auscult sim run - --seed 1"), "{said}");
}

#[test]
fn a_story_with_mistakes_is_told_where() {
    let output = run_with_input(["sim", "run", "-"], "members m 3\n5s crsh m1\n");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let expected = "-:2:4: `crsh` is no deed\n   |\n 2 | 5s crsh m1\n   |    ^^^^\n";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("did you mean `crash`?"), "{said}");
}

#[test]
fn a_history_from_a_seed_is_told_and_can_be_seen_again() {
    let args = [
        "sim",
        "run",
        "--seed",
        "3",
        "--members",
        "5",
        "--minutes",
        "1",
    ];
    let [first, again] = [0, 1].map(|_| stdout(&run_with_input(args, "")));
    for part in [
        "5 members, seed 3",
        " * start m4",
        " * heal",
        "met     agreed within",
        "checkers found 0",
        "again: auscult sim run --seed 3 --members 5 --minutes 1",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let told = |text: &str| text.split("\n\n").nth(1).unwrap().to_owned();
    assert_eq!(told(&first), told(&again));
}

#[test]
fn a_simulation_needs_a_story_or_a_seed() {
    let output = run_with_input(["sim", "run"], "");
    assert_eq!(output.status.code(), Some(2));
    let output = run_with_input(["sim", "run", "-", "--members", "5"], STORY);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}
