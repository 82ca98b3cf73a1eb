//! The demo's first screen: what runs where, and three commands worth trying.

use std::net::SocketAddr;

use super::others::Place;
use crate::render::{Ink, Screen};

/// The server that the commands are about: the one in seed 000's own example.
const VICTIM: usize = 5;

/// Commands up to this width stand above each other.
const COMMAND_WIDTH: usize = 80;

/// Where the commands look for monitors when nothing is said.
const DEFAULT_HTTP: [&str; 3] = ["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002"];

/// Where everything is.
#[derive(Debug)]
pub(super) struct Places {
    /// The first one is in this process.
    pub(super) monitors: Vec<Place>,
    pub(super) udp: Option<SocketAddr>,
    /// The simulated servers, in order.
    pub(super) servers: Vec<(String, SocketAddr)>,
    /// Ports that were asked for and are taken.
    pub(super) taken: Vec<u16>,
    /// Where the monitors keep what they share, and the others their logs.
    pub(super) folder: String,
    /// How this program was called.
    pub(super) program: String,
}

impl Places {
    pub(super) fn banner(&self, screen: Screen) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "{}: ten simulated servers, and {} to them",
                screen.paint(Ink::Strong, "auscult demo"),
                match self.monitors.len() {
                    1 => "a monitor that listens".to_owned(),
                    3 => "three monitors that listen".to_owned(),
                    many => format!("{many} monitors that listen"),
                }
            ),
            String::new(),
        ];
        let http = self.monitors[0].http;
        let page = screen.paint(Ink::Strong, &format!("http://{http}/"));
        lines.push(format!("  page        {page}"));
        lines.push(format!("  metrics     http://{http}/metrics"));
        if let [_, others @ ..] = self.monitors.as_slice() {
            for (title, Place { name, http, pid }) in std::iter::once("others")
                .chain(std::iter::repeat(""))
                .zip(others)
            {
                lines.push(format!(
                    "  {title:<10}  {name} at http://{http}/, process {pid}"
                ));
            }
        }
        if let Some(udp) = self.udp {
            lines.push(format!("  heartbeats  udp {udp}"));
        }
        lines.extend(self.server_lines());
        lines.push(format!(
            "  folder      {} (gone when this ends)",
            self.folder
        ));
        lines.push(String::new());
        lines.push("Try in another terminal:".into());
        lines.push(String::new());
        let commands = self.commands();
        let widths = commands.iter().map(|(command, _)| command.len());
        // A very long one does not push all the others' words away.
        let width = widths.filter(|width| *width <= COMMAND_WIDTH).max();
        for (command, why) in &commands {
            let padding = " ".repeat(width.unwrap_or(0).saturating_sub(command.len()));
            let command = screen.paint(Ink::Strong, command);
            let why = screen.paint(Ink::Quiet, &format!("# {why}"));
            lines.push(format!("  {command}{padding}  {why}"));
        }
        lines.push(String::new());
        lines.push("What happens (Ctrl-C ends it):".into());
        lines.push(String::new());
        lines.join("\n") + "\n"
    }

    fn server_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = self.servers.as_slice();
        let mut title = "servers";
        while let [(name, first), ..] = rest {
            let follows = |(index, (_, addr)): (usize, &(String, SocketAddr))| {
                usize::from(addr.port()) == usize::from(first.port()) + index
            };
            let run = rest
                .iter()
                .enumerate()
                .take_while(|server| follows(*server))
                .count();
            let (last, last_addr) = &rest[run - 1];
            lines.push(match run {
                1 => format!("  {title:<10}  {name} at http://{first}/heartbeat"),
                _ => format!(
                    "  {title:<10}  {name} to {last} at the ports {} to {} of {}",
                    first.port(),
                    last_addr.port(),
                    first.ip()
                ),
            });
            title = "";
            rest = &rest[run..];
        }
        if !self.taken.is_empty() {
            let ports: Vec<String> = self.taken.iter().map(u16::to_string).collect();
            let verb = if ports.len() == 1 { "is" } else { "are" };
            let ports = ports.join(", ");
            lines.push(format!(
                "  {title:<10}  ({ports} {verb} taken: free ports instead)"
            ));
        }
        lines
    }

    /// Commands to copy, each with what it is good for.
    fn commands(&self) -> Vec<(String, String)> {
        let (name, addr) = &self.servers[VICTIM.min(self.servers.len() - 1)];
        let port = addr.port();
        let control =
            |delay: u8| format!("curl -X POST localhost:{port}/control -d '{{\"delay\":{delay}}}'");
        let program = &self.program;
        let usual = |index: usize, place: &Place| place.http.to_string() == DEFAULT_HTTP[index];
        let url = match &self.monitors[0] {
            place if usual(0, place) => String::new(),
            place => format!(" --url http://{}", place.http),
        };
        let mut commands = vec![
            (
                control(10),
                format!("{name} answers 10 s late: see it late, down, up"),
            ),
            (control(0), "and steady again".into()),
            (
                format!("{program} targets list{url}"),
                "what the first monitor knows".into(),
            ),
        ];
        if let Some(last) = self.monitors.get(1..).and_then(<[_]>::last) {
            let all = match self.monitors.as_slice() {
                [one, two, three] if usual(0, one) && usual(1, two) && usual(2, three) => {
                    String::new()
                }
                places => {
                    let urls: Vec<_> = (places.iter())
                        .map(|place| format!("http://{}", place.http))
                        .collect();
                    format!(" --url {}", urls.join(","))
                }
            };
            let metrics = format!("{program} demo metrics --server {name}{all}");
            commands.push((metrics, "what every monitor knows of it".into()));
            let kill = format!("kill -9 {}", last.pid);
            let why = format!("{} dies: the others watch on", last.name);
            commands.push((kill, why));
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ports_need_no_further_words() {
        let expected = r#"
auscult demo: ten simulated servers, and three monitors that listen to them

  page        http://127.0.0.1:8000/
  metrics     http://127.0.0.1:8000/metrics
  others      monitor2 at http://127.0.0.1:8001/, process 102
              monitor3 at http://127.0.0.1:8002/, process 103
  heartbeats  udp 127.0.0.1:8000
  servers     server1 to server10 at the ports 8081 to 8090 of 127.0.0.1
  folder      /tmp/demo (gone when this ends)

Try in another terminal:

  curl -X POST localhost:8086/control -d '{"delay":10}'  # server6 answers 10 s late: see it late, down, up
  curl -X POST localhost:8086/control -d '{"delay":0}'   # and steady again
  auscult targets list                                   # what the first monitor knows
  auscult demo metrics --server server6                  # what every monitor knows of it
  kill -9 103                                            # monitor3 dies: the others watch on

What happens (Ctrl-C ends it):

"#;
        let ports: Vec<u16> = (8081..=8090).collect();
        assert_eq!(places(8000, &ports, &[]).banner(Screen::PIPE), expected);
    }

    #[test]
    fn other_ports_are_in_the_commands() {
        let ports = [8081, 8082, 8083, 8084, 8085, 40_001, 8087, 8088, 8089, 8090];
        let banner = places(40_000, &ports, &[8086, 8000]).banner(Screen::PIPE);
        for part in [
            "server1 to server5 at the ports 8081 to 8085 of 127.0.0.1",
            "server6 at http://127.0.0.1:40001/heartbeat",
            "server7 to server10 at the ports 8087 to 8090",
            "(8086, 8000 are taken: free ports instead)",
            "localhost:40001/control",
            "auscult targets list --url http://127.0.0.1:40000 ",
            "--server server6 --url http://127.0.0.1:40000,http://127.0.0.1:40001,http://",
        ] {
            assert!(banner.contains(part), "{part} in {banner}");
        }
    }

    fn places(http: u16, ports: &[u16], taken: &[u16]) -> Places {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let name = |index: usize| format!("server{}", index + 1);
        Places {
            monitors: (0..3)
                .map(|behind| Place {
                    name: format!("monitor{}", behind + 1),
                    http: at(http + behind),
                    pid: 101 + u32::from(behind),
                })
                .collect(),
            udp: Some(at(http)),
            servers: ports
                .iter()
                .enumerate()
                .map(|(i, &port)| (name(i), at(port)))
                .collect(),
            taken: taken.into(),
            folder: "/tmp/demo".into(),
            program: "auscult".into(),
        }
    }
}
