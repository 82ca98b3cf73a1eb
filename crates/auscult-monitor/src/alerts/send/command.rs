//! A program that is told: JSON on its standard input, and a few variables.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::SendError;
use super::compose::Composed;

/// Runs the program. It is killed when nobody waits for it any more.
pub(super) async fn run(words: &[Box<str>], composed: &Composed) -> Result<(), SendError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SendError::Broken("there is no program".into()));
    };
    let broken = |error: std::io::Error| SendError::Broken(format!("{program}: {error}"));
    let variables = composed.environment.iter();
    let mut child = Command::new(&**program)
        .args(arguments.iter().map(|word| &**word))
        .envs(variables.map(|(name, text)| (&**name, text)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input is told all the same.
        let _unread = input.write_all(composed.body.as_bytes()).await;
    }
    let status = child.wait().await.map_err(broken)?;
    if status.success() {
        return Ok(());
    }
    Err(SendError::Broken(format!("{program} ended with {status}")))
}
