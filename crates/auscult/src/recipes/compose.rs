//! The compose file: what it starts, and that what it refers to is there.

use std::collections::BTreeMap;

use auscult_monitor::settings::Settings;

use super::yaml::{self, Yaml};
use super::{Start, read, root, variable, variables_of_the_image, words};

/// What a mapping says in `environment:`, in either form.
fn environment(yaml: Option<&Yaml>) -> BTreeMap<String, String> {
    match yaml {
        None => BTreeMap::new(),
        Some(Yaml::List(list)) => list.iter().map(|item| variable(item.text())).collect(),
        Some(map) => (map.entries().iter())
            .map(|(name, value)| (name.clone(), value.text().to_owned()))
            .collect(),
    }
}

#[test]
fn the_services_of_the_compose_file_start_the_program() {
    let file = "deploy/compose.yml";
    let compose = yaml::documents(file, &read(file)).remove(0);
    let services = compose.get("services").unwrap().entries();
    let mut ours = 0;
    for (name, service) in services {
        if service.get("image").unwrap().text() != "auscult" {
            continue;
        }
        ours += 1;
        let mut variables: BTreeMap<_, _> = variables_of_the_image().into_iter().collect();
        variables.extend(environment(service.get("environment")));
        let start = |what: &str, words| Start {
            place: format!("{file}: {what} of {name}"),
            words,
            variables: variables.clone().into_iter().collect(),
        };
        let command = service.get("command").unwrap().texts();
        start("command", words("/auscult", command)).check();
        if let Some(health) = service.get("healthcheck") {
            let mut test = health.get("test").unwrap().texts();
            assert_eq!(test.remove(0), "CMD", "there is no shell in the image");
            assert_eq!(test[0], "/auscult");
            start("healthcheck", test).check();
        }
        check_places(name, service, &compose);
    }
    assert_eq!(ours, 3 + 10 + 3, "monitors, servers, agents");
}

/// Whatever a service refers to is there.
fn check_places(name: &str, service: &Yaml, compose: &Yaml) {
    let known = |kind: &str, what: &str| {
        let all = compose.get(kind).map(Yaml::entries).unwrap_or_default();
        let found = all.iter().any(|(known, _)| known == what);
        assert!(found, "{name}: no {what} among {kind}");
    };
    for volume in service.get("volumes").map(Yaml::texts).unwrap_or_default() {
        known("volumes", volume.split(':').next().unwrap());
    }
    if let Some(Yaml::List(configs)) = service.get("configs") {
        for config in configs {
            let source = config.get("source").unwrap().text();
            known("configs", source);
            let target = config.get("target").unwrap().text();
            let command = service.get("command").unwrap().texts();
            assert!(
                command.iter().any(|word| word == target),
                "{name} reads its {source}"
            );
            let file = compose.get("configs").unwrap().get(source).unwrap();
            let file = file.get("file").unwrap().text();
            let settings = Settings::load(&root().join("deploy").join(file));
            assert_eq!(settings.unwrap().targets.len(), 10);
        }
    }
    for (service, _) in service
        .get("depends_on")
        .map(Yaml::entries)
        .unwrap_or_default()
    {
        known("services", service);
    }
    for (network, _) in service
        .get("networks")
        .map(Yaml::entries)
        .unwrap_or_default()
    {
        known("networks", network);
    }
}
