//! Keys of compose and bake files that are flags of the builder. All rows were tried with compose 2.40
//! and buildx 0.29.

use super::tests::{codes, found};
use super::*;

/// `network|hosts|shared memory|ulimits|no cache`, the last one `-` where everything is.
fn line(target: &Target) -> String {
    let no_cache = target
        .no_cache
        .as_ref()
        .map(|names| match names.is_empty() {
            true => "all".to_owned(),
            false => names.join(","),
        });
    format!(
        "{}|{}|{}|{}|{}",
        target.run.network,
        target.run.hosts.join(","),
        target.run.shm_size.as_deref().unwrap_or("-"),
        target.run.ulimits.join(","),
        no_cache.as_deref().unwrap_or("-"),
    )
}

/// Of the only service of compose files, or why there is none.
fn compose(build: &str, over: &str) -> String {
    let file = |keys: &str| format!("services:\n  x:\n    build:\n      target: s\n{keys}");
    let mut files = vec![("Dockerfile", String::new()), ("compose.yaml", file(build))];
    if !over.is_empty() {
        files.push(("compose.override.yaml", file(over)));
    }
    only(&files)
}

fn bake(base: &str, over: &str) -> String {
    let text = format!(
        "variable \"H\" {{\n default = \"1.2.3.4\"\n}}\ntarget \"_base\" {{\n{base}\n}}\ntarget \"x\" {{\n target = \"s\"\n inherits = [\"_base\"]\n{over}\n}}\n"
    );
    only(&[("Dockerfile", String::new()), ("docker-bake.hcl", text)])
}

fn only(files: &[(&str, String)]) -> String {
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let discovery = found(&files);
    let described = discovery.targets.iter().find(|t| t.origin != "discovered");
    match described {
        Some(target) => line(target),
        None => {
            let said = discovery
                .diagnostics
                .iter()
                .map(|l| l.diagnostic.message.as_str());
            let said: Vec<&str> = said.collect();
            said.join("; ")
        }
    }
}

fn keys(lines: &[&str]) -> String {
    lines.iter().map(|l| format!("      {l}\n")).collect()
}

#[test]
fn compose_keys() {
    let rows: [(&[&str], &str); 22] = [
        (&["network: none"], "none||-||-"),
        (&["network: ${NET:-host}"], "host||-||-"),
        (&["network: ''"], "||-||-"),
        (
            &["extra_hosts: ['b:2.2.2.2', 'a=1.1.1.1']"],
            "|a=1.1.1.1,b=2.2.2.2|-||-",
        ),
        (
            &["extra_hosts: ['v:::1', 'w:[::1]']"],
            "|v=::1,w=[::1]|-||-",
        ),
        (
            &["extra_hosts: {b: '::1', a: 1.1.1.1}"],
            "|a=1.1.1.1,b=::1|-||-",
        ),
        (
            &["extra_hosts: {a: [1.1.1.1, 2.2.2.2]}"],
            "|a=1.1.1.1,a=2.2.2.2|-||-",
        ),
        (
            &["extra_hosts: ['a=1.1.1.1,2.2.2.2']"],
            "|a=1.1.1.1,a=2.2.2.2|-||-",
        ),
        (&["extra_hosts: ['${N:-n}=${IP}']"], "|n=|-||-"),
        (&["extra_hosts: {}"], "||-||-"),
        (&["shm_size: 64m"], "||64m||-"),
        (&["shm_size: 67108864"], "||67108864||-"),
        (
            &["ulimits: {nofile: 10, core: {soft: 1, hard: 2}}"],
            "||-|core=1:2,nofile=10|-",
        ),
        (
            &["ulimits: {nofile: -1, core: {soft: -1, hard: -1}}"],
            "||-|core=-1:-1,nofile=0|-",
        ),
        (&["no_cache: true"], "||-||all"),
        (&["no_cache: yes"], "||-||all"),
        (&["no_cache: false"], "||-||-"),
        (&["no_cache_filter: [a, b]"], "||-||a,b"),
        (&["no_cache_filter: [a]", "no_cache: on"], "||-||all"),
        (
            &["privileged: true", "isolation: hyperv", "pull: true"],
            "||-||-",
        ),
        (
            &["entitlements: [security.insecure]", "sbom: true"],
            "||-||-",
        ),
        (
            &["secrets: [a]", "ssh: [default]", "labels: {a: b}"],
            "||-||-",
        ),
    ];
    for (lines, expected) in rows {
        assert_eq!(compose(&keys(lines), ""), expected, "{lines:?}");
    }
}

#[test]
fn compose_files_laid_over_each_other() {
    let rows: [(&str, &str, &str); 15] = [
        ("network: none", "network: host", "host||-||-"),
        ("network: none", "network: ''", "||-||-"),
        ("network: none", "network: !reset null", "||-||-"),
        (
            "extra_hosts: [a=1, b=2]",
            "extra_hosts: [a=3, b=2, c=4]",
            "|a=1,a=3,b=2,c=4|-||-",
        ),
        (
            "extra_hosts: {a: 1.1}",
            "extra_hosts: {a: 2.2}",
            "|a=1.1,a=2.2|-||-",
        ),
        (
            "extra_hosts: {a: 1.1, b: 2.2}",
            "extra_hosts: {a: !reset null}",
            "|b=2.2|-||-",
        ),
        (
            "extra_hosts: [a=1, b=2]",
            "extra_hosts: {a: !reset null}",
            "|a=1,b=2|-||-",
        ),
        (
            "extra_hosts: [a=1, b=2]",
            "extra_hosts: !reset []",
            "||-||-",
        ),
        (
            "extra_hosts: [a=1, b=2]",
            "extra_hosts: !override [c=1]",
            "|c=1|-||-",
        ),
        (
            "ulimits: {nofile: 7}",
            "ulimits: {nofile: {soft: 1, hard: 2}, core: 3}",
            "||-|core=3,nofile=1:2|-",
        ),
        (
            "ulimits: {core: {soft: 1, hard: 2}}",
            "ulimits: {core: {soft: 2}}",
            "||-|core=2:2|-",
        ),
        (
            "ulimits: {nofile: 7, core: 4}",
            "ulimits: {nofile: !reset null}",
            "||-|core=4|-",
        ),
        (
            "ulimits: {nofile: 7, core: 4}",
            "ulimits: !override {nofile: 8}",
            "||-|nofile=8|-",
        ),
        ("shm_size: 1g", "shm_size: !reset null", "||-||-"),
        ("no_cache: true", "no_cache: false", "||-||-"),
    ];
    for (below, above, expected) in rows {
        let found = compose(&keys(&[below]), &keys(&[above]));
        assert_eq!(found, expected, "{below} {above}");
    }
}

#[test]
fn a_service_inherits_the_keys_of_the_one_it_extends() {
    let text = "services:\n  base:\n    build: {context: ., target: b, network: none, extra_hosts: [a=1]}\n  x:\n    extends: base\n    build: {target: s, extra_hosts: [b=2], shm_size: 1g}\n";
    let discovery = found(&[("Dockerfile", ""), ("compose.yaml", text)]);
    let lines: Vec<String> = discovery.targets[1..].iter().map(line).collect();
    assert_eq!(lines, ["none|a=1|-||-", "none|a=1,b=2|1g||-"]);
    assert_eq!(codes(&discovery), ["project/order-of-hosts"]);
}

#[test]
fn compose_values_that_the_builder_refuses() {
    let rows = [
        (
            "extra_hosts: [a]",
            "the extra host \"a\" is not a name and an address",
        ),
        ("extra_hosts: {a: {b: c}}", "its extra_hosts is not a text"),
        ("shm_size: abc", "\"abc\" is no size of shared memory"),
        ("shm_size: -1", "\"-1\" is no size of shared memory"),
        (
            "ulimits: {nofile: abc}",
            "its ulimits hold something else than whole numbers",
        ),
        (
            "ulimits: {nofile: 1.5}",
            "its ulimits hold something else than whole numbers",
        ),
        ("ulimits: [nofile=1]", "its ulimits are not a mapping"),
        (
            "ulimits: {foo: 1}",
            "the ulimit \"foo=1\" is of a type that does not exist",
        ),
        ("no_cache: abc", "its no_cache is neither true nor false"),
    ];
    for (key, reason) in rows {
        let expected = format!("compose.yaml: service x is left out: {reason}");
        assert_eq!(compose(&keys(&[key]), ""), expected, "{key}");
    }
}

#[test]
fn a_network_of_another_builder_is_a_warning_with_its_place() {
    let text = "services:\n  x:\n    build: {context: ., network: web}\n";
    let discovery = found(&[("Dockerfile", ""), ("compose.yaml", text)]);
    let target = &discovery.targets[1];
    assert_eq!(line(target), "web||-||-");
    let said = &target.diagnostics[0];
    assert_eq!(
        (said.file.as_str(), said.diagnostic.code),
        ("compose.yaml", "project/network")
    );
    assert!(!said.diagnostic.is_error());
    let start = said.diagnostic.span().expect("a place").range().start;
    assert!(text[start..].starts_with("{context"));
}

#[test]
fn bake_attributes() {
    let rows = [
        ("", "network = \"none\"", "none||-||-"),
        ("network = \"host\"", "network = \"\"", "||-||-"),
        ("network = \"host\"", "network = null", "host||-||-"),
        (
            "",
            "extra-hosts = { b = H, \"a${1}\" = \"::1\", c = null }",
            "|a1=::1,b=1.2.3.4|-||-",
        ),
        (
            "extra-hosts = { a = \"1\", b = \"2\" }",
            "extra-hosts = { a = \"3,4\", c = \"5\" }",
            "|a=3,a=4,b=2,c=5|-||-",
        ),
        (
            "extra-hosts = { a = \"1\" }",
            "extra-hosts = { a = null }",
            "|a=1|-||-",
        ),
        ("", "shm-size = \"64m\"", "||64m||-"),
        ("", "shm-size = 64", "||64||-"),
        (
            "ulimits = [\"nofile=1\", \"core=2\"]",
            "ulimits = [\"nofile=${1+2}\"]",
            "||-|nofile=1,core=2,nofile=3|-",
        ),
        (
            "ulimits = [\"core=1\", \"core=2\"]",
            "ulimits = [\"core=1\"]",
            "||-|core=1,core=2|-",
        ),
        ("ulimits = [\"core=1\"]", "ulimits = []", "||-|core=1|-"),
        ("no-cache = true", "no-cache = false", "||-||-"),
        ("no-cache = true", "no-cache = null", "||-||all"),
        ("", "no-cache = \"1\"", "||-||all"),
        (
            "no-cache-filter = [\"a\"]",
            "no-cache-filter = [\"c,d\", \"a\"]",
            "||-||a,c,d",
        ),
        ("no-cache = true", "no-cache-filter = [\"a\"]", "||-||all"),
        (
            "",
            "entitlements = [\"network.host\"]\npull = true",
            "||-||-",
        ),
    ];
    for (base, over, expected) in rows {
        assert_eq!(bake(base, over), expected, "{base} {over}");
    }
    let refused = [
        (
            "extra-hosts = [\"a=1\"]",
            "its extra-hosts depend on something else than names and values",
        ),
        ("extra-hosts = { a = NOPE }", "its extra-hosts depend on "),
        (
            "ulimits = \"core=1\"",
            "its ulimits depends on a text in place of a list",
        ),
        (
            "ulimits = [\"core=3:1\"]",
            "the ulimit \"core=3:1\" has a soft limit above the hard one",
        ),
        ("shm-size = \"abc\"", "\"abc\" is no size of shared memory"),
        (
            "no-cache = \"yes\"",
            "its no-cache is neither true nor false",
        ),
        ("network = NOPE", "its network depends on "),
    ];
    for (over, reason) in refused {
        let expected = format!("target x is left out: {reason}");
        let said = bake("", over);
        assert!(said.contains(&expected), "{over}: {said}");
    }
}

#[test]
fn bake_matrices_json_and_overrides() {
    let discovery = found(&[
        ("Dockerfile", ""),
        (
            "docker-bake.hcl",
            "target \"x\" {\n name = \"x-${net}\"\n matrix = { net = [\"none\", \"host\"] }\n network = net\n extra-hosts = { \"${net}\" = \"1\" }\n}\n",
        ),
        (
            "docker-bake.override.json",
            r#"{"target": {"x-host": {"ulimits": ["core=1"], "no-cache": "true"}, "y": {"target": "y", "shm-size": 64, "extra-hosts": {"a": "1"}}}}"#,
        ),
    ]);
    let lines: Vec<String> = discovery.targets[1..].iter().map(line).collect();
    let expected = ["host|host=1|-|core=1|all", "none|none=1|-||-", "|a=1|64||-"];
    assert_eq!(lines, expected);
}

#[test]
fn targets_that_differ_in_a_flag_are_two() {
    let text = "services:\n  a:\n    build: {context: ., network: none}\n  b:\n    build: {context: ., network: host}\n  c:\n    build: {context: ., network: host}\n  d:\n    build: {context: ., network: host, no_cache: true}\n";
    let discovery = found(&[("Dockerfile", ""), ("compose.yaml", text)]);
    let ids: Vec<String> = discovery.targets.iter().map(|t| t.ids.join(",")).collect();
    assert_eq!(ids, ["", "service:a", "service:b,service:c", "service:d"]);
}
