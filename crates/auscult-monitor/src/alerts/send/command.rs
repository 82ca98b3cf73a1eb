//! A program that is told: JSON on its standard input, and a few variables.

use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::SendError;
use super::compose::Composed;

/// Runs the program. When nobody waits for it any more, it is killed with everything that it
/// started.
pub(super) async fn run(words: &[Box<str>], composed: &Composed) -> Result<(), SendError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SendError::Broken("there is no program".into()));
    };
    let broken = |error: std::io::Error| SendError::Broken(format!("{program}: {error}"));
    let variables = composed.environment.iter();
    let mut command = Command::new(&**program);
    command
        .args(arguments.iter().map(|word| &**word))
        .envs(variables.map(|(name, text)| (&**name, text)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(broken)?;
    let status = Running::new(child).tell(&composed.body).await;
    let status = status.map_err(broken)?;
    if status.success() {
        return Ok(());
    }
    Err(SendError::Broken(format!("{program} ended with {status}")))
}

/// A program that runs, and what it started: they are one process group.
struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

impl Running {
    fn new(child: Child) -> Self {
        #[cfg(unix)]
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            child,
            #[cfg(unix)]
            group: id.and_then(rustix::process::Pid::from_raw),
        }
    }

    /// Writes this to the program, and waits until it ends.
    async fn tell(mut self, text: &str) -> std::io::Result<ExitStatus> {
        let input = self.child.stdin.take();
        let written = async {
            if let Some(mut input) = input {
                // A program that does not read its input is told all the same.
                let _unread = input.write_all(text.as_bytes()).await;
            }
            // It has its end of the input now, which is what many programs wait for.
            std::future::pending::<std::convert::Infallible>().await
        };
        // One that ended may have left a child which holds the input and never reads it.
        let ended = tokio::select! {
            ended = self.child.wait() => ended,
            never = written => match never {},
        };
        #[cfg(unix)]
        {
            // What it left running was meant to; and its number may soon be another's.
            self.group = None;
        }
        ended
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // None is left where all of them ended meanwhile.
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process, test_kill_process};

    use super::*;

    /// Runs a shell script with what does not fit into a pipe, and a child of it that holds the
    /// pipe and reads nothing; tells the child.
    async fn run_script(script: &str) -> (Result<(), SendError>, Pid) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("child");
        let child = format!(
            "exec 3<&0; tail -f /dev/null & echo $! > {}",
            file.display()
        );
        let words = ["/bin/sh", "-c", &format!("{child}; {script}")].map(Box::from);
        let composed = Composed {
            body: "x".repeat(1 << 20),
            subject: String::new(),
            environment: Vec::new(),
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), run(&words, &composed)).await;
        let text = fs::read_to_string(file).expect("it was written first");
        let child = text.trim().parse().ok().and_then(Pid::from_raw);
        (ended.expect("it ended long ago"), child.expect("a number"))
    }

    #[tokio::test]
    async fn a_program_is_done_when_it_ends_and_what_it_left_running_goes_on() {
        let (result, child) = run_script("exit 0").await;
        result.unwrap();
        test_kill_process(child).expect("it was meant to run on");
        kill_process(child, Signal::KILL).unwrap();

        let (result, child) = run_script("exit 3").await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains("exit status: 3"), "{text}");
        kill_process(child, Signal::KILL).unwrap();
    }
}
