//! Programs that join over gRPC and are no members.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};

use super::{config, detector, disseminator, group, until};
use crate::Agent;
use crate::grpc::generated::swim::dissemination_server::{Dissemination, DisseminationServer};
use crate::grpc::generated::swim::failure_detector_server::{
    FailureDetector, FailureDetectorServer,
};
use crate::grpc::generated::swim::{
    DisseminationRequest, DisseminationResponse, IndirectPingRequest, IndirectPingResponse,
    JoinRequest, JoinResponse, MembershipUpdateRequest, MembershipUpdateResponse, PingRequest,
    PingResponse,
};
use crate::grpc::{JoinRefused, Newcomer, Speech, join, listen};

/// A program of somebody else, which serves until it is dropped.
struct Guest {
    address: SocketAddr,
    heard: Arc<Heard>,
    _open: watch::Sender<()>,
}

#[derive(Default)]
struct Heard {
    pings: AtomicU64,
    /// Who is said to have failed.
    failed: Mutex<Vec<String>>,
}

/// Which calls a guest serves to be told of failures.
#[derive(Clone, Copy)]
enum Serves {
    Disseminate,
    UpdateMembership,
}

struct Service(Arc<Heard>);

#[tonic::async_trait]
impl FailureDetector for Service {
    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        self.0.pings.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(PingResponse { is_alive: true }))
    }

    async fn indirect_ping(
        &self,
        _: Request<IndirectPingRequest>,
    ) -> Result<Response<IndirectPingResponse>, Status> {
        Err(Status::unimplemented("nobody asks a guest"))
    }

    async fn update_membership(
        &self,
        request: Request<MembershipUpdateRequest>,
    ) -> Result<Response<MembershipUpdateResponse>, Status> {
        self.0
            .failed
            .lock()
            .push(request.into_inner().failed_node_id);
        Ok(Response::new(MembershipUpdateResponse { success: true }))
    }
}

#[tonic::async_trait]
impl Dissemination for Service {
    async fn disseminate(
        &self,
        request: Request<DisseminationRequest>,
    ) -> Result<Response<DisseminationResponse>, Status> {
        self.0
            .failed
            .lock()
            .push(request.into_inner().failed_node_id);
        Ok(Response::new(DisseminationResponse { success: true }))
    }

    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        Err(Status::unimplemented("nobody joins a guest"))
    }
}

impl Guest {
    fn serve(serves: Serves) -> Self {
        let listener: TcpListener = listen::bind(super::ANYWHERE.into()).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Heard::default());
        let open = watch::Sender::new(());
        let service = || Service(Arc::clone(&heard));
        let mut server = tonic::transport::Server::builder();
        let mut router = server.add_service(FailureDetectorServer::new(service()));
        match serves {
            Serves::Disseminate => {
                router = router.add_service(DisseminationServer::new(service()));
            }
            Serves::UpdateMembership => {}
        }
        tokio::spawn(listen::serve(router, listener, open.subscribe()));
        Self {
            address,
            heard,
            _open: open,
        }
    }

    fn pings(&self) -> u64 {
        self.heard.pings.load(Ordering::Relaxed)
    }

    fn heard_of(&self, failed: &str) -> bool {
        self.heard.failed.lock().iter().any(|one| one == failed)
    }
}

fn newcomer(id: &str, guest: &Guest, host: &crate::AgentHandle) -> Newcomer {
    Newcomer {
        id: id.to_owned(),
        address: guest.address.to_string(),
        bootstrap_address: host.served().dissemination.unwrap().to_string(),
        bootstrap_id: "1".to_owned(),
    }
}

#[tokio::test]
async fn a_guest_is_pinged_and_told_of_failures() {
    let [first, second, third] = group(["node1", "node2", "node3"]).await;
    let guests = [Serves::Disseminate, Serves::UpdateMembership].map(Guest::serve);
    let mut expected = [&first, &second, &third]
        .map(|agent| agent.address().to_string())
        .to_vec();
    for (id, guest) in ["6", "7"].into_iter().zip(&guests) {
        let list = join(&newcomer(id, guest, &first), None, Speech::Silent)
            .await
            .unwrap();
        expected.push(guest.address.to_string());
        assert_eq!(list, expected);
    }
    for guest in &guests {
        until("it is pinged", || guest.pings() > 1).await;
    }
    let killed = third.address().to_string();
    third.shutdown().await;
    for guest in &guests {
        until("it is told", || guest.heard_of(&killed)).await;
    }
    let [stays, dies] = guests;
    let died = dies.address.to_string();
    drop(dies);
    until("the other is told", || stays.heard_of(&died)).await;
    let list = join(&newcomer("6", &stays, &first), None, Speech::Silent)
        .await
        .unwrap();
    let left = [0, 1, 3].map(|at: usize| expected[at].as_str());
    assert_eq!(list, left);
}

/// Whoever let a guest in may fail itself: another member lists the guest, pings it for others, and
/// takes it over.
#[tokio::test]
async fn a_guest_outlives_its_host() {
    let [first, second] = group(["node1", "node2"]).await;
    let guest = Guest::serve(Serves::Disseminate);
    let host = first.address().to_string();
    join(&newcomer("6", &guest, &first), None, Speech::Silent)
        .await
        .unwrap();
    let knows = |agent: &crate::AgentHandle, host: &str| {
        let members = agent.members();
        let metadata = &members.get(host).unwrap().metadata;
        metadata.iter().any(|(key, _)| key == "swim.guest.6")
    };
    until("another member knows", || knows(&second, "node1")).await;
    let question = IndirectPingRequest {
        requester_id: "9".into(),
        target_id: "6".into(),
        proxy_nodes: Vec::new(),
    };
    let answer = detector(&second).await.indirect_ping(question).await;
    assert!(answer.unwrap().into_inner().success);
    first.shutdown().await;
    until("it takes over", || knows(&second, "node2")).await;
    let pings = guest.pings();
    until("it pings", || guest.pings() > pings).await;
    let third = Guest::serve(Serves::Disseminate);
    let list = join(&newcomer("7", &third, &second), None, Speech::Silent).await;
    assert!(list.unwrap().contains(&guest.address.to_string()));
    assert!(!guest.heard_of(&guest.address.to_string()), "{host}");
}

#[tokio::test]
async fn what_is_no_address_or_id_is_refused() {
    let [first] = group(["node1"]).await;
    let guest = Guest::serve(Serves::Disseminate);
    let mut client = disseminator(&first).await;
    let long = "x".repeat(200);
    let here = guest.address.to_string();
    for (id, address) in [
        ("", &*here),
        (&*long, &*here),
        ("a\nb", &*here),
        ("6", "no:address"),
    ] {
        let request = JoinRequest {
            new_node_id: id.to_owned(),
            new_node_address: address.to_owned(),
        };
        let refused = client.join(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{id} {address}");
    }
}

#[tokio::test]
async fn an_id_that_answers_is_not_given_to_another() {
    let [first] = group(["node1"]).await;
    let (guest, other) = (
        Guest::serve(Serves::Disseminate),
        Guest::serve(Serves::Disseminate),
    );
    join(&newcomer("6", &guest, &first), None, Speech::Silent)
        .await
        .unwrap();
    until("it is pinged", || guest.pings() > 1).await;
    let refused = join(&newcomer("6", &other, &first), None, Speech::Silent).await;
    assert!(
        matches!(refused, Err(JoinRefused::Failed(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn nobody_to_join_is_said_so() {
    let mut settings = config("node1");
    settings.doors = None;
    let member = Agent::start(settings).await.unwrap();
    let newcomer = Newcomer {
        id: "6".into(),
        address: "127.0.0.1:1".into(),
        bootstrap_address: "127.0.0.1:1".into(),
        bootstrap_id: "1".into(),
    };
    let refused = join(&newcomer, None, Speech::Silent).await;
    assert!(
        matches!(refused, Err(JoinRefused::Silent(_))),
        "{refused:?}"
    );
    assert_eq!(member.served(), crate::grpc::Served::default());
}
