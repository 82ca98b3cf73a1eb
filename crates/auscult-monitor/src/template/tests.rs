//! What templates print, what is refused, and that nothing in a value is taken for anything else.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Escape, PRINTED_BYTES_MAX, Template, TooLarge};

fn values() -> Value {
    json!({
        "status": "firing",
        "title": "it is \"down\"\\\n<now> & here",
        "more": 0,
        "group": { "env": "prod" },
        "alerts": [
            { "subject": "web", "labels": { "team": "a" }, "repeat": null, "episode": 3 },
            { "subject": "db", "labels": {}, "repeat": 2, "episode": 1 },
        ],
    })
}

fn check(source: &str, escape: Escape, expected: &str) {
    let template = Template::parse(source, escape, &values()).unwrap();
    assert_eq!(template.render(&values()).unwrap(), expected, "{source}");
}

fn refused(source: &str) -> (usize, String) {
    let fault = Template::parse(source, Escape::Plain, &values()).unwrap_err();
    let hint = fault.hint.unwrap_or_default();
    (fault.line, format!("{}; {hint}", fault.message))
}

#[test]
fn gaps_are_filled_and_blocks_chosen_and_repeated() {
    for (source, expected) in [
        ("", ""),
        ("as it is }} %} #}", "as it is }} %} #}"),
        ("{{ status }} {{status|upper}}", "firing FIRING"),
        ("a{# not said }} #}b", "ab"),
        ("{{ alerts | length }} of {{ \"}}\" }}", "2 of }}"),
        (
            "{% for a in alerts %}{{ loop.index }}{{ a.subject }}{% if not loop.last %}, {% endif %}\
          {% endfor %}",
            "1web, 2db",
        ),
        (
            "{% for a in alerts %}{{ a.labels.team | default(\"-\") }}{% endfor %}",
            "a-",
        ),
        ("{% for a in alerts %}{{ a.repeat }}{% endfor %}", "2"),
        (
            "{% if status == \"resolved\" %}a{% elif more > 0 or group.env == 'prod' %}b{% else %}c\
          {% endif %}",
            "b",
        ),
        (
            "{% if status == \"firing\" and not more %}a{% endif %}",
            "a",
        ),
        ("a\n{%- if status -%}\n b \n{%- endif %}\nc", "ab\nc"),
        ("{{ title | truncate(5) }}", "it is…"),
        ("{{ group | json }}", "{\"env\":\"prod\"}"),
        (
            "?q={{ title | truncate(7) | urlencode }}",
            "?q=it+is+%22%E2%80%A6",
        ),
    ] {
        check(source, Escape::Plain, expected);
    }
}

#[test]
fn values_are_escaped_for_what_the_body_is() {
    let (json, markup, form) = (Escape::Json, Escape::Markup, Escape::Form);
    check(
        "\"{{ title }}\"",
        json,
        "\"it is \\\"down\\\"\\\\\\n<now> & here\"",
    );
    check(
        "{{ title | json }}",
        json,
        "\"it is \\\"down\\\"\\\\\\n<now> & here\"",
    );
    check(
        "{{ title }}",
        markup,
        "it is &quot;down&quot;\\\n&lt;now&gt; &amp; here",
    );
    check(
        "t={{ title }}",
        form,
        "t=it+is+%22down%22%5C%0A%3Cnow%3E+%26+here",
    );
    assert_eq!(Escape::of("application/json; charset=utf-8"), json);
    assert_eq!(Escape::of("application/vnd.x+json"), json);
    assert_eq!(Escape::of("TEXT/HTML"), markup);
    assert_eq!(Escape::of("text/plain"), Escape::Plain);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    for (source, line, part) in [
        ("\n\n{{ titel }}", 3, "there is no `titel`; perhaps `title`"),
        (
            "{% for a in alerts %}\n{{ a.subjekt }}{% endfor %}",
            2,
            "perhaps `subject`",
        ),
        ("{{ a.subject }}", 1, "there is no `a`"),
        (
            "{{ alerts }}",
            1,
            "is a list or a mapping; print it with `| json`",
        ),
        ("{% for a in title %}{% endfor %}", 1, "`title` is no list"),
        (
            "{% if status %}",
            1,
            "has no end; end it with `{% endif %}`",
        ),
        (
            "{% for a in alerts %}{% endif %}",
            1,
            "end it with `{% endfor %}`",
        ),
        ("x\n{% endif %}", 2, "ends nothing"),
        ("{{ title", 1, "is not closed; close it with `}}`"),
        ("{{ title | shout }}", 1, "there is no filter `shout`"),
        (
            "{{ title | truncate(\"a\") }}",
            1,
            "there is no filter `truncate`",
        ),
        ("{% include x %}", 1, "there is no statement `include`"),
        ("{{ title ~ title }}", 1, "`~` is not understood"),
        ("{{ .title }}", 1, "a name or a text is missing"),
        ("{{ title title }}", 1, "`title` is too much here"),
        ("{{ }}", 1, "a name or a text is missing"),
    ] {
        let (found, text) = refused(source);
        assert_eq!(found, line, "{source}: {text}");
        assert!(text.contains(part), "{source}: {text}");
    }
    let deep = "{% if status %}".repeat(9) + &"{% endif %}".repeat(9);
    assert!(refused(&deep).1.contains("more than 8 blocks"));
    assert!(refused(&"x".repeat(20_000)).1.contains("at most"));
}

#[test]
fn neither_the_length_nor_the_work_of_a_text_is_without_bound() {
    let alerts: Vec<Value> = (0..1_000)
        .map(|_| json!({ "subject": "x".repeat(300) }))
        .collect();
    let many = json!({ "alerts": alerts });
    let render = |source: &str| {
        let template = Template::parse(source, Escape::Plain, &many).unwrap();
        template.render(&many)
    };
    let long = render("{% for a in alerts %}{{ a.subject }}{% endfor %}");
    assert_eq!(long, Err(TooLarge), "longer than {PRINTED_BYTES_MAX} bytes");
    let nested = "{% for a in alerts %}".repeat(4) + &"{% endfor %}".repeat(4);
    assert_eq!(render(&nested), Err(TooLarge), "10^12 steps");
    let hidden = "{% for a in alerts %}{% if alerts | json == 'x' %}{% endif %}{% endfor %}";
    assert_eq!(
        render(hidden),
        Err(TooLarge),
        "300 MB written out and thrown away"
    );
}

proptest! {
    #[test]
    fn whatever_a_target_is_called_json_says_it_and_nothing_else(name in any::<String>()) {
        let values = json!({ "title": name });
        let source = "{\"a\": \"<{{ title }}>\", \"b\": {{ title | json }}}";
        let template = Template::parse(source, Escape::Json, &values).unwrap();
        let found: Value = serde_json::from_str(&template.render(&values).unwrap()).unwrap();
        prop_assert_eq!(found, json!({ "a": format!("<{name}>"), "b": name }));
    }

    #[test]
    fn no_text_whatever_breaks_the_reader(
        source in "([{}%# |.\"'a-z(0-9-]|title|alerts|for a in|if|endif|endfor|\\PC){0,40}",
    ) {
        if let Ok(template) = Template::parse(&source, Escape::Plain, &values()) {
            let _bounded = template.render(&values());
        }
    }
}
