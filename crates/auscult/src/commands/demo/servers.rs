//! The simulated servers as targets: settings that all monitors share.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::json;

use crate::client::{Ask, Client};
use crate::exit::{Exit, Stop};

/// How often it is asked again, and how many times: a group has a leader far sooner.
const AGAIN: Duration = Duration::from_millis(100);
const ASKED_MAX: usize = 200;

/// Has the monitor at this address, and with it all the others, watch the servers. The time-out
/// lets an answer count that takes 10 s.
pub(super) async fn watch(http: SocketAddr, servers: &[(String, SocketAddr)]) -> Result<(), Stop> {
    let client = Client::new(&format!("http://{http}"))?;
    for (name, addr) in servers {
        let target = json!({
            "url": format!("http://{addr}/heartbeat"),
            "interval": "1s",
            "timeout": "15s",
        });
        add(&client, name, &target.to_string()).await?;
    }
    Ok(())
}

async fn add(client: &Client, name: &str, target: &str) -> Result<(), Stop> {
    let path = format!("/v1/targets/{name}");
    let mut asked = 0;
    loop {
        let mut ask = Ask::new(Method::PUT, &path);
        ask.body = Some(target.to_owned());
        asked += 1;
        match client.ask(ask).await {
            Ok(_) => return Ok(()),
            // The page is not served yet, or there is no leader yet.
            Err(stop)
                if asked < ASKED_MAX && (stop.is(Exit::Unreachable) || stop.is(Exit::Refused)) => {}
            Err(stop) => return Err(stop),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
