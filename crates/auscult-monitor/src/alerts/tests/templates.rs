//! What receivers with templates are sent.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::sinks::{MailSink, WebSink};
use super::stage::{Stage, TARGETS};

const QUICK: &str = "group_wait: 0s, group_interval: 0s";

fn settings([ntfy, form, slack]: &[&WebSink; 3], mail: &MailSink, told: &Path) -> String {
    let script = format!(
        "(cat; echo \\\" $TEAM $AUSCULT_STATUS\\\") > {}",
        told.display()
    );
    // A label that would break out of any text that it is put into.
    let targets = TARGETS.replace("env: prod", "env: '\"}]\\'");
    format!(
        "{targets}
receivers:
- name: ntfy
  type: webhook
  url: http://{}/
  group_by: [env]
  {}
  body: >-
    {{\"topic\": \"ops\", \"title\": \"{{{{ title }}}}\", \"env\": \"{{{{ group.env }}}}\",
    \"tags\": [{{% for alert in alerts %}}{{{{ alert.labels.env | json }}}}
    {{% if not loop.last %}},{{% endif %}}{{% endfor %}}]}}
- {{name: form, type: webhook, url: \"http://{}/\", content_type: application/x-www-form-urlencoded,
   body: \"env={{{{ alerts | json }}}}\", {QUICK}}}
- {{name: chat, type: slack, url: \"http://{}/\", body: \"{{{{ status | upper }}}}\", {QUICK}}}
- {{name: mail, type: email, smarthost: \"{}\", from: a@b.example, to: [c@d.example],
   subject: \"{{{{ status }}}}\\n{{{{ firing }}}}\", body: \"see {{{{ text }}}}\", {QUICK}}}
- {{name: script, type: command, command: [/bin/sh, -c, \"{script}\"], body: \"{{{{ firing }}}}\",
   environment: {{TEAM: \"<{{{{ receiver }}}}>\"}}, {QUICK}}}
",
        ntfy.addr,
        QUICK.replace(", ", "\n  "),
        form.addr,
        slack.addr,
        mail.addr
    )
}

#[tokio::test]
async fn each_receiver_is_told_in_its_own_words() {
    let (ntfy, form, slack) = (
        WebSink::start().await,
        WebSink::start().await,
        WebSink::start().await,
    );
    let mail = MailSink::start().await;
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let text = settings(&[&ntfy, &form, &slack], &mail, &told);
    let stage = Stage::start_in(folder, &text).await;
    stage.up(&["web", "db"]).await;
    let script_told = || fs::read_to_string(&told).unwrap_or_default();
    let counts = || {
        let posted = [&ntfy, &form, &slack].map(|sink| sink.posted.lock().len());
        (
            posted,
            mail.mails.lock().len(),
            script_told().lines().count(),
        )
    };
    stage
        .until_counts(&["db"], counts, |counts| counts == ([1; 3], 1, 1))
        .await;
    let env = "\"}]\\";
    let posted = ntfy.posted.lock()[0].json();
    assert_eq!(
        (&posted["env"], &posted["tags"]),
        (&json!(env), &json!([env]))
    );
    assert!(
        posted["title"]
            .as_str()
            .unwrap()
            .starts_with("1 firing env=")
    );
    let form = form.posted.lock()[0].clone();
    assert_eq!(
        form.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert!(form.body.starts_with("env=%5B%7B%22"), "{}", form.body);
    assert_eq!(slack.posted.lock()[0].json()["text"], "FIRING");
    let mail = mail.mails.lock()[0].clone();
    assert!(mail.contains("Subject: firing 1\r\n"), "{mail}");
    assert!(mail.contains("\r\n\r\nsee [critical] web"), "{mail}");
    assert_eq!(script_told().trim(), "1 <script> firing");
    stage.end().await;
}
