//! An etcd that wants TLS, a certificate of ours, and a login.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, IsCa, KeyPair,
};
use serde_json::{Value, json};

use super::*;

const PASSWORD: &str = "not to be seen";

/// Certificates in a folder: `ca.pem`, and for each name `NAME.pem` and `NAME.key`.
fn certificates(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let write = |name: String, text: String| std::fs::write(folder.path().join(name), text);
    write("ca.pem".to_owned(), issuer.pem()).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        // Where it demands logins, etcd takes none with a common name over this interface.
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        write(format!("{name}.pem"), certificate.pem()).unwrap();
        write(format!("{name}.key"), key.serialize_pem()).unwrap();
    }
    folder
}

fn option(name: &str, folder: &Path, file: &str) -> String {
    format!("--{name}={}", folder.join(file).display())
}

fn secure(folder: &Path) -> Option<Etcd> {
    let options = vec![
        option("cert-file", folder, "etcd.pem"),
        option("key-file", folder, "etcd.key"),
        option("trusted-ca-file", folder, "ca.pem"),
        "--client-cert-auth".to_owned(),
    ];
    Etcd::with(Scheme::Tls, options)
}

fn access(folder: &Path, login: Option<Login>) -> Access {
    Access {
        ca: Some(folder.join("ca.pem")),
        certificate: Some(ClientCertificate {
            chain: folder.join("monitor.pem"),
            key: folder.join("monitor.key"),
        }),
        login,
    }
}

fn login(password: Password) -> Option<Login> {
    let user = "root".to_owned();
    Some(Login { user, password })
}

async fn trouble(store: &Store, part: &str) {
    let mut last = String::new();
    let told = until(part, || {
        let trouble = store.status().trouble.unwrap_or_default();
        assert!(!trouble.contains(PASSWORD), "{trouble}");
        if trouble != last {
            println!("{trouble}");
        }
        last = trouble;
        last.contains(part)
    });
    told.await;
}

/// Has everybody log in from now on.
async fn demand_logins(store: &Store) {
    let gateway = &store.inner.gateway;
    for (path, ask) in [
        (
            "auth/user/add",
            json!({ "name": "root", "password": PASSWORD }),
        ),
        ("auth/role/add", json!({ "name": "root" })),
        ("auth/user/grant", json!({ "user": "root", "role": "root" })),
        ("auth/enable", json!({})),
    ] {
        let done: Result<Value, _> = gateway.ask(path, &ask).await;
        done.unwrap();
    }
}

#[tokio::test]
async fn over_tls_with_certificates_and_a_login_all_is_as_without() {
    let folder = certificates(&["etcd", "monitor"]);
    let Some(mut etcd) = secure(folder.path()) else {
        return;
    };
    let anybody = Store::start(etcd.config(1, access(folder.path(), None))).unwrap();
    confirmed(&anybody).await;
    demand_logins(&anybody).await;
    trouble(&anybody, "--settings-user").await;

    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let known = access(folder.path(), login(Password::File(file.clone())));
    let one = Store::start(etcd.config(2, known)).unwrap();
    let text = login(Password::Text(PASSWORD.to_owned()));
    let two = Store::start(etcd.config(3, access(folder.path(), text))).unwrap();
    suite::holds(&[&one, &two]).await;

    // A member that starts again knows no logins of before.
    etcd.kill();
    etcd.run().unwrap();
    confirmed(&one).await;
    one.change(change(vec![put("after", "1")])).await.unwrap();
    assert_eq!(body(&one, "after").as_deref(), Some("1"));

    let wrong = login(Password::Text("wrong".to_owned()));
    let wrong = Store::start(etcd.config(4, access(folder.path(), wrong))).unwrap();
    trouble(&wrong, "name or password is wrong").await;
    let missing = login(Password::File(folder.path().join("none")));
    let missing = Store::start(etcd.config(5, access(folder.path(), missing))).unwrap();
    trouble(&missing, "cannot be read").await;
}

#[tokio::test]
async fn an_etcd_that_no_authority_vouches_for_is_not_talked_to() {
    let folder = certificates(&["etcd", "monitor"]);
    let others = certificates(&["monitor"]);
    let Some(etcd) = secure(folder.path()) else {
        return;
    };
    let store = Store::start(etcd.config(1, access(others.path(), None))).unwrap();
    trouble(&store, "certificate").await;
    assert!(store.confirm().await.is_err());
    let right = Store::start(etcd.config(2, access(folder.path(), None))).unwrap();
    confirmed(&right).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = certificates(&["monitor"]);
    let place: Place = "etcds://127.0.0.1:1".parse().unwrap();
    let why = |access: &Access| match gateway::Gateway::new(&place, access) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(why(&access(folder.path(), None)), "");
    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    assert!(why(&access(folder.path(), None)).contains("--settings-ca"));
    let mut no_key = access(folder.path(), None);
    no_key.ca = None;
    std::fs::write(folder.path().join("monitor.key"), "nothing").unwrap();
    assert!(why(&no_key).contains("--settings-key"));
}

#[test]
fn a_password_is_never_shown() {
    let access = Access {
        login: login(Password::Text(PASSWORD.to_owned())),
        ..Access::default()
    };
    assert!(!format!("{access:?}").contains(PASSWORD));
}
