//! The manifests for Kubernetes: what they start, and that what they refer to is there. No API
//! server is asked.

use std::collections::BTreeMap;

use super::yaml::{self, Yaml};
use super::{Start, files, read, variables_of_the_image, words};

/// The version and the kinds of manifests that we use.
const KINDS: [(&str, &str); 5] = [
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
];

/// What a cluster puts in place of a field of a pod.
fn field(path: &str) -> &'static str {
    match path {
        "metadata.name" => "auscult-0",
        "status.podIP" => "127.0.0.1",
        "spec.nodeName" => "node-1",
        other => panic!("no field {other}"),
    }
}

fn manifests() -> Vec<(String, Yaml)> {
    let files = files(".yml").into_iter();
    let files = files.filter(|file| file.contains("kubernetes/"));
    let all = files.flat_map(|file| {
        let documents = yaml::documents(&file, &read(&file));
        documents.into_iter().map(move |manifest| {
            let kind = manifest.get("kind").unwrap().text();
            let name = manifest.at("metadata/name").unwrap().text();
            (format!("{file}: {kind} {name}"), manifest)
        })
    });
    all.collect()
}

fn is_part_of(labels: &Yaml, whole: &Yaml) -> bool {
    let mut labels = labels.entries().iter();
    labels.all(|(name, value)| whole.get(name).is_some_and(|is| is.text() == value.text()))
}

#[test]
fn manifests_are_of_known_kinds_and_have_names_of_their_own() {
    let mut seen = BTreeMap::new();
    for (place, manifest) in manifests() {
        let version = manifest.get("apiVersion").unwrap().text();
        let kind = manifest.get("kind").unwrap().text();
        assert!(KINDS.contains(&(version, kind)), "{place}: {version}");
        let name = manifest.at("metadata/name").unwrap().text().to_owned();
        let before = seen.insert((kind.to_owned(), name), place.clone());
        assert_eq!(before, None, "{place}");
    }
    assert!(seen.len() >= 8);
}

#[test]
fn containers_start_the_program() {
    let mut starts = 0;
    for (place, manifest) in manifests() {
        let Some(pod) = manifest.at("spec/template/spec") else {
            continue;
        };
        for container in pod.get("containers").unwrap().items() {
            let mut variables: BTreeMap<_, _> = variables_of_the_image().into_iter().collect();
            let mut places = BTreeMap::new();
            for entry in container.get("env").map(Yaml::items).unwrap_or_default() {
                let name = entry.get("name").unwrap().text().to_owned();
                match entry.at("valueFrom/fieldRef/fieldPath") {
                    Some(path) => {
                        places.insert(format!("$({name})"), field(path.text()));
                    }
                    None => {
                        variables.insert(name, entry.get("value").unwrap().text().to_owned());
                    }
                }
            }
            let filled = |word: &String| {
                places
                    .iter()
                    .fold(word.clone(), |word, (from, to)| word.replace(from, to))
            };
            let args = container.get("args").unwrap().texts();
            let args: Vec<String> = args.iter().map(filled).collect();
            assert!(
                !args.iter().any(|word| word.contains("$(")),
                "{place}: {args:?}"
            );
            let start = Start {
                place: place.clone(),
                words: words("/auscult", args),
                variables: variables.into_iter().collect(),
            };
            start.check();
            starts += 1;
            check_container(&place, container, &manifest);
        }
    }
    assert_eq!(starts, 2);
}

/// Probes ask ports that have names, and what is mounted is there.
fn check_container(place: &str, container: &Yaml, manifest: &Yaml) {
    let named = |list: &Yaml| -> Vec<String> {
        let names = list.items().iter().filter_map(|item| item.get("name"));
        names.map(|name| name.text().to_owned()).collect()
    };
    let ports = named(container.get("ports").unwrap());
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let Some(asks) = container
            .get(probe)
            .map(|probe| probe.get("httpGet").unwrap())
        else {
            continue;
        };
        let port = asks.get("port").unwrap().text();
        assert!(ports.iter().any(|name| name == port), "{place}: {probe}");
        let path = asks.get("path").unwrap().text();
        assert!(
            ["/-/healthy", "/-/ready"].contains(&path),
            "{place}: {probe}"
        );
    }
    let claims = manifest.at("spec/volumeClaimTemplates").map(Yaml::items);
    let claims = claims.unwrap_or_default().iter();
    let mut volumes: Vec<String> = claims
        .map(|claim| claim.at("metadata/name").unwrap().text().to_owned())
        .collect();
    let pod = manifest.at("spec/template/spec").unwrap();
    volumes.extend(pod.get("volumes").map(named).unwrap_or_default());
    for mount in container
        .get("volumeMounts")
        .map(Yaml::items)
        .unwrap_or_default()
    {
        let name = mount.get("name").unwrap().text();
        assert!(
            volumes.iter().any(|volume| volume == name),
            "{place}: {name}"
        );
    }
}

#[test]
fn what_manifests_refer_to_is_there() {
    let all = manifests();
    let find = |kind: &str, name: &str| {
        let mut all = all.iter().map(|(_, manifest)| manifest);
        all.find(|one| {
            one.get("kind").unwrap().text() == kind
                && one.at("metadata/name").unwrap().text() == name
        })
    };
    let pods: Vec<&Yaml> = (all.iter())
        .filter_map(|(_, manifest)| manifest.at("spec/template"))
        .collect();
    for (place, manifest) in &all {
        if let Some(service) = manifest.at("spec/serviceName") {
            let service = find("Service", service.text());
            let headless = service.unwrap_or_else(|| panic!("{place}: no such service"));
            assert_eq!(
                headless.at("spec/clusterIP").unwrap().text(),
                "None",
                "{place}"
            );
        }
        if let Some(template) = manifest.at("spec/template") {
            let labels = template.at("metadata/labels").unwrap();
            let chosen = manifest.at("spec/selector/matchLabels").unwrap();
            assert!(is_part_of(chosen, labels), "{place}");
            let account = template.at("spec/serviceAccountName").unwrap().text();
            assert!(find("ServiceAccount", account).is_some(), "{place}");
        } else if let Some(selector) = manifest.at("spec/selector") {
            let chosen = selector.get("matchLabels").unwrap_or(selector);
            let is_chosen = |pod: &&&Yaml| is_part_of(chosen, pod.at("metadata/labels").unwrap());
            assert_eq!(pods.iter().filter(is_chosen).count(), 1, "{place}");
        }
    }
}
