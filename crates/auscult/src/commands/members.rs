//! `auscult members`: who is in the group, as one agent knows it, and who hears whom.

mod detail;
mod links;
mod list;

use std::io::{self, Write as _};
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::interrupt::Interrupts;
use crate::args::{MembersArgs, MembersCommand, Output};
use crate::client::follow::Follow;
use crate::client::{Ask, Client, Server, encode};
use crate::exit::Stop;
use crate::render::Screen;

/// How often a terminal is drawn anew when nothing happens: the ages grow.
const REDRAW: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: &MembersArgs) -> Result<(), Stop> {
    let client = Client::to(Server::Agent, &args.client.url)?;
    let look = Look {
        client: &client,
        output: args.client.output,
        screen: Screen::stdout(),
    };
    let list = list_path(args);
    match &args.command {
        None if args.watch => {
            let mut interrupts = Interrupts::install()?;
            tokio::select! {
                () = interrupts.next() => Ok(()),
                done = look.keep_looking(&list) => done,
            }
        }
        None => look.once(&list, list::print).await,
        Some(MembersCommand::Links) => look.once("/v1/links", links::print).await,
        Some(MembersCommand::Get { name }) => {
            let path = format!("/v1/members/{}", encode(name));
            look.once(&path, detail::print).await
        }
        Some(MembersCommand::Watch { names }) => each(&client, Method::POST, names).await,
        Some(MembersCommand::Unwatch { names }) => each(&client, Method::DELETE, names).await,
    }
}

fn list_path(args: &MembersArgs) -> String {
    if args.state.is_empty() {
        return "/v1/members".into();
    }
    format!("/v1/members?state={}", encode(&args.state.join(",")))
}

/// How an answer is printed for people.
type Print = fn(&mut dyn io::Write, Screen, &Value) -> io::Result<()>;

/// What is asked, and how answers are shown.
struct Look<'a> {
    client: &'a Client,
    output: Output,
    screen: Screen,
}

impl Look<'_> {
    async fn once(&self, path: &str, print: Print) -> Result<(), Stop> {
        let answer = self.client.ask(Ask::new(Method::GET, path)).await?;
        let mut out = io::stdout().lock();
        match self.output {
            Output::Json => out.write_all(&answer.body)?,
            Output::Table => print(&mut out, self.screen, &self.client.read(&answer)?)?,
        }
        Ok(out.flush()?)
    }

    /// Shows the members, and again whenever something happens to one of them.
    async fn keep_looking(&self, path: &str) -> Result<(), Stop> {
        let newest = Ask::new(Method::GET, "/v1/events?limit=1");
        let newest: Value = self.client.read(&self.client.ask(newest).await?)?;
        let since = newest["next"].as_u64();
        let mut follow = Follow::new(self.client, "/v1/events/stream".into(), since);
        loop {
            self.draw(path).await?;
            tokio::select! {
                events = follow.next() => {
                    events?;
                }
                () = tokio::time::sleep(REDRAW), if self.screen.width.is_some() => {}
            }
        }
    }

    /// On a terminal in the place of what was there, elsewhere below it.
    async fn draw(&self, path: &str) -> Result<(), Stop> {
        let answer = self.client.ask(Ask::new(Method::GET, path)).await?;
        let members: Value = self.client.read(&answer)?;
        let mut out = io::stdout().lock();
        match (self.output, self.screen.width) {
            (Output::Json, _) => writeln!(out, "{members}")?,
            (Output::Table, Some(_)) => {
                write!(out, "\x1b[H\x1b[2J")?;
                list::print(&mut out, self.screen, &members)?;
            }
            (Output::Table, None) => {
                list::print(&mut out, self.screen, &members)?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }
}

/// Begins or ends direct heartbeats with each of these.
async fn each(client: &Client, method: Method, names: &[String]) -> Result<(), Stop> {
    let done = if method == Method::POST {
        "watched"
    } else {
        "no longer watched"
    };
    for name in names {
        let path = format!("/v1/members/{}/watch", encode(name));
        client.ask(Ask::new(method.clone(), &path)).await?;
        writeln!(io::stdout(), "{name} is {done} by direct heartbeats")?;
    }
    Ok(())
}
