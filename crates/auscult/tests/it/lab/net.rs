//! Hosts with addresses of their own on one bridge, each in a network namespace: nothing of it
//! touches the machine's own network.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Hosts that reach one another until told otherwise. Taken down when dropped.
pub(crate) struct Net {
    /// What the names of its namespaces begin with.
    prefix: String,
    hosts: usize,
    /// Where frames are delayed on their way, by a program.
    weather: Option<Child>,
}

/// What happens to frames between two hosts, one way.
pub(crate) struct Weather {
    pub(crate) seed: u64,
    pub(crate) delay_ms: u32,
    /// Each frame waits up to so much longer, so frames overtake one another.
    pub(crate) jitter_ms: u32,
    /// Of one.
    pub(crate) loss: f64,
    /// Of one: these arrive twice.
    pub(crate) doubled: f64,
}

impl Net {
    /// So many hosts on a bridge, or why this machine does not allow it.
    pub(crate) fn new(hosts: usize) -> Result<Self, String> {
        let net = Self::empty(hosts)?;
        let switch = net.switch();
        ip(&format!("-n {switch} link add br0 type bridge"))?;
        ip(&format!("-n {switch} link set br0 up"))?;
        for host in 0..hosts {
            let name = net.host(host);
            ip(&format!(
                "-n {switch} link add h{host} type veth peer name eth0 netns {name}"
            ))?;
            ip(&format!("-n {switch} link set h{host} master br0 up"))?;
            net.address_host(host)?;
        }
        net.nft("add table bridge lab")?;
        net.nft("add chain bridge lab pass { type filter hook forward priority 0; }")?;
        Ok(net)
    }

    /// So many hosts between which frames meet this weather, or why this machine does not allow it.
    pub(crate) fn with_weather(hosts: usize, weather: &Weather) -> Result<Self, String> {
        let mut net = Self::empty(hosts)?;
        let switch = net.switch();
        let mut program = Command::new("ip")
            .args(["netns", "exec", &switch, "python3"])
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/lab/switch.py"
            ))
            .args([hosts.to_string(), weather.seed.to_string()])
            .args([weather.delay_ms, weather.jitter_ms].map(|ms| ms.to_string()))
            .args([weather.loss, weather.doubled].map(|share| share.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = program.stdout.take();
        net.weather = Some(program);
        let mut said = String::new();
        stdout.map(|stdout| BufReader::new(stdout).read_line(&mut said));
        if said.trim() != "up" {
            return Err("python3 cannot make TAP devices".into());
        }
        for host in 0..hosts {
            let name = net.host(host);
            ip(&format!("-n {switch} link set h{host} netns {name}"))?;
            ip(&format!("-n {name} link set h{host} name eth0"))?;
            net.address_host(host)?;
        }
        Ok(net)
    }

    /// The namespaces, with nothing between them.
    fn empty(hosts: usize) -> Result<Self, String> {
        static NETS: AtomicU32 = AtomicU32::new(0);
        let number = NETS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("auscult-{}-{number}", std::process::id());
        let net = Self {
            prefix,
            hosts,
            weather: None,
        };
        ip(&format!("netns add {}", net.switch()))?;
        for host in 0..hosts {
            ip(&format!("netns add {}", net.host(host)))?;
        }
        Ok(net)
    }

    fn address_host(&self, host: usize) -> Result<(), String> {
        let (name, address) = (self.host(host), address(host));
        ip(&format!("-n {name} addr add {address}/24 dev eth0"))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        ip(&format!("-n {name} link set lo up"))
    }

    /// The program, to be run on that host.
    pub(crate) fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), program]);
        command
    }

    /// Nothing passes to or from that host any more.
    pub(crate) fn cut_off(&self, host: usize) {
        self.rule(&format!("iifname h{host} drop"));
        self.rule(&format!("oifname h{host} drop"));
    }

    /// No IP passes from one host to the other, though it does on the way back.
    pub(crate) fn cut_one_way(&self, from: usize, to: usize) {
        self.rule(&format!("ether type ip iifname h{from} oifname h{to} drop"));
    }

    /// So many of a hundred IP packets between any two hosts are lost, in each direction.
    pub(crate) fn lose(&self, percent: u32) {
        self.rule(&format!(
            "ether type ip numgen random mod 100 < {percent} drop"
        ));
    }

    /// Everything passes again.
    pub(crate) fn heal(&self) {
        self.nft("flush chain bridge lab pass").unwrap();
    }

    fn rule(&self, rule: &str) {
        self.nft(&format!("add rule bridge lab pass {rule}"))
            .unwrap();
    }

    fn nft(&self, command: &str) -> Result<(), String> {
        let switch = self.switch();
        done(Command::new("ip").args(["netns", "exec", &switch, "nft", command]))
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    fn host(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(mut program) = self.weather.take() {
            let _ = program.kill();
            let _ = program.wait();
        }
        // What was never made cannot be deleted; the rest goes.
        for host in 0..self.hosts {
            let _ = ip(&format!("netns del {}", self.host(host)));
        }
        let _ = ip(&format!("netns del {}", self.switch()));
    }
}

/// Where a host is reached. The block is set aside for measurements of networks.
pub(crate) fn address(host: usize) -> String {
    format!("198.18.0.{}", host + 1)
}

fn ip(args: &str) -> Result<(), String> {
    done(Command::new("ip").args(args.split_whitespace()))
}

fn done(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command
        .output()
        .map_err(|error| format!("no ip or nft here ({error})"))?;
    if status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    Err(stderr.lines().next().unwrap_or("it failed").to_owned())
}
