//! Checks against real servers on loopback: good, slow, broken, refusing, encrypted.

mod harness;
mod http;
mod http1;
mod server;
mod timing;
mod tls;
