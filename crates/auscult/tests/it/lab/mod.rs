//! Agents on five hosts with addresses of their own: killed, frozen, cut off, half deaf, on lossy
//! and slow networks.

mod cluster;
pub(crate) mod net;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use cluster::{Cluster, Mark, failed, joined, name};
use net::{Net, Weather};

const HOSTS: usize = 5;
/// Whom it happens to.
const VICTIM: usize = 3;

struct Story {
    title: &'static str,
    net: fn() -> Result<Net, String>,
    run: fn(Cluster),
}

const STORIES: [Story; 7] = [
    Story {
        title: "killed",
        net: bridge,
        run: killed,
    },
    Story {
        title: "frozen for 10 s",
        net: bridge,
        run: frozen,
    },
    Story {
        title: "cut off for 90 s",
        net: bridge,
        run: cut_off,
    },
    Story {
        title: "cut one way",
        net: bridge,
        run: cut_one_way,
    },
    Story {
        title: "20 % loss",
        net: bridge,
        run: lossy,
    },
    Story {
        title: "restarted at another port",
        net: bridge,
        run: restarted,
    },
    Story {
        title: "delay, jitter, reordering",
        net: slow,
        run: slow_network,
    },
];

/// With heartbeats among all, and with probes alone.
const MODES: [&[&str]; 2] = [&[], &["--direct-limit", "0"]];

/// All at once: they mostly wait.
#[test]
fn members_on_five_hosts() {
    if let Err(reason) = Net::new(1) {
        println!("skipped: {reason}");
        return;
    }
    let mut told = Vec::new();
    thread::scope(|scope| {
        let mut running = Vec::new();
        for story in &STORIES {
            match (story.net)() {
                Ok(_) => {}
                Err(reason) => {
                    println!("skipped: {}: {reason}", story.title);
                    continue;
                }
            }
            for mode in MODES {
                let tell = move || {
                    let net = (story.net)().unwrap();
                    (story.run)(Cluster::start(net, HOSTS, mode));
                };
                let run = scope.spawn(move || catch_unwind(AssertUnwindSafe(tell)).is_ok());
                running.push((story.title, mode, run));
            }
        }
        for (title, mode, run) in running {
            if !run.join().unwrap() {
                told.push(format!("{title} {mode:?}"));
            }
        }
    });
    assert!(told.is_empty(), "failed: {told:?}; the reasons stand above");
}

fn bridge() -> Result<Net, String> {
    Net::new(HOSTS)
}

fn slow() -> Result<Net, String> {
    let weather = Weather {
        seed: 1,
        delay_ms: 40,
        jitter_ms: 40,
        loss: 0.02,
        doubled: 0.02,
    };
    Net::with_weather(HOSTS, &weather)
}

fn others(victim: usize) -> impl Iterator<Item = usize> {
    (0..HOSTS).filter(move |&host| host != victim)
}

/// What every one of them said so far.
fn marks(cluster: &Cluster) -> Vec<(usize, Mark)> {
    (0..HOSTS).map(|host| (host, cluster.mark(host))).collect()
}

/// Within that time nobody among `hosts` convicts anybody but the victim.
fn only_the_victim(cluster: &Cluster, hosts: &[(usize, Mark)], span: Duration) {
    for other in others(VICTIM) {
        cluster.silent(hosts, &failed(other), span / 4);
    }
}

fn convicted_by_all(cluster: &Cluster, marks: &[(usize, Mark)]) {
    for &(host, mark) in marks.iter().filter(|&&(host, _)| host != VICTIM) {
        cluster.wait(host, mark, &failed(VICTIM));
    }
}

fn killed(cluster: Cluster) {
    let marks = marks(&cluster);
    cluster.signal(VICTIM, "KILL");
    convicted_by_all(&cluster, &marks);
    only_the_victim(&cluster, &marks, Duration::from_secs(4));
}

fn frozen(cluster: Cluster) {
    let marks = marks(&cluster);
    cluster.signal(VICTIM, "STOP");
    convicted_by_all(&cluster, &marks);
    only_the_victim(&cluster, &marks, Duration::from_secs(4));
    let convicted: Vec<_> = others(VICTIM)
        .map(|host| (host, cluster.mark(host)))
        .collect();
    cluster.signal(VICTIM, "CONT");
    for &(host, mark) in &convicted {
        cluster.wait(host, mark, &joined(VICTIM));
    }
    only_the_victim(&cluster, &marks, Duration::from_secs(8));
}

fn cut_off(cluster: Cluster) {
    let marks = marks(&cluster);
    cluster.net.cut_off(VICTIM);
    convicted_by_all(&cluster, &marks);
    for other in others(VICTIM) {
        cluster.wait(VICTIM, marks[VICTIM].1, &failed(other));
    }
    let majority: Vec<_> = marks
        .iter()
        .copied()
        .filter(|&(host, _)| host != VICTIM)
        .collect();
    only_the_victim(&cluster, &majority, Duration::from_secs(90));
    let before: Vec<_> = self::marks(&cluster);
    cluster.net.heal();
    for other in others(VICTIM) {
        cluster.wait(other, before[other].1, &joined(VICTIM));
        cluster.wait(VICTIM, before[VICTIM].1, &joined(other));
    }
}

fn cut_one_way(cluster: Cluster) {
    let marks = marks(&cluster);
    cluster.net.cut_one_way(VICTIM, 0);
    let link = format!("member {} link: it is not heard here", name(VICTIM));
    cluster.wait(0, marks[0].1, &link);
    cluster.silent(&marks, " failed", Duration::from_secs(30));
}

fn lossy(cluster: Cluster) {
    let before = marks(&cluster);
    cluster.net.lose(20);
    cluster.silent(&before, " failed", Duration::from_secs(60));
    cluster.signal(VICTIM, "KILL");
    convicted_by_all(&cluster, &before);
    only_the_victim(&cluster, &before, Duration::from_secs(4));
}

fn restarted(mut cluster: Cluster) {
    let marks = marks(&cluster);
    cluster.signal(VICTIM, "KILL");
    cluster.restart_elsewhere(VICTIM);
    for other in others(VICTIM) {
        cluster.wait(other, marks[other].1, ":7947");
    }
    only_the_victim(&cluster, &marks[..VICTIM], Duration::from_secs(4));
}

fn slow_network(cluster: Cluster) {
    let before = marks(&cluster);
    cluster.silent(&before, " failed", Duration::from_secs(30));
    cluster.signal(VICTIM, "KILL");
    convicted_by_all(&cluster, &before);
    only_the_victim(&cluster, &before, Duration::from_secs(4));
}
