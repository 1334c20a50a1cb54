//! Where users have their home directories.
//!
//! Goes in: the name of a user, and the accounts that the Dockerfile has made so far. Comes out: what is known of the home
//! directory. Costs nothing. Invariant: a place is told only where Debian, Alpine and the official images that have such
//! a user agree, or where all of theirs are told.

use super::super::class::words_of_script;

/// What is known of a home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The Dockerfile says it.
    Said(String),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Below `/home`, where tools that make users put it unless told otherwise.
    Usual,
    /// It may be anywhere.
    Unknown,
}

/// Accounts of packages and official images that run builds now and then, and all places their homes are in.
#[rustfmt::skip]
const PLACES: &[(&str, &[&str])] = &[
    // Debian's base-passwd; `adduser -S` of Alpine's php and nginx.
    ("www-data", &["/var/www", "/home/www-data"]),
    // The images of postgres, both of them; Fedora's package.
    ("postgres", &["/var/lib/postgresql", "/var/lib/pgsql"]),
    // The images of mysql and mariadb; Debian's package has none.
    ("mysql", &["/var/lib/mysql"]),
    // The images of redis, which give none; the packages.
    ("redis", &["/var/lib/redis", "/home/redis"]),
    // The image on Alpine and nginx.org's packages; Alpine's own package. The image on Debian has none.
    ("nginx", &["/var/cache/nginx", "/var/lib/nginx"]),
    // The image of the controller; the package; the images of agents.
    ("jenkins", &["/var/jenkins_home", "/var/lib/jenkins", "/home/jenkins"]),
];

/// Other accounts that no person has: those of Debian's base-passwd and Alpine's baselayout, and of packages. Some have no
/// home, some have `/` or a folder that the system shares.
#[rustfmt::skip]
const SYSTEM: &[&str] = &[
    "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "backup", "list", "irc", "gnats",
    "nobody", "adm", "shutdown", "halt", "operator", "postmaster", "cron", "ftp", "sshd", "at", "squid", "xfs", "cyrus", "vpopmail",
    "ntp", "smmsp", "guest", "messagebus", "dbus", "avahi", "polkitd", "git", "apache", "httpd", "http", "www", "caddy", "haproxy",
    "rabbitmq", "mongodb", "mongod", "elasticsearch", "opensearch", "kibana", "logstash", "grafana", "prometheus", "memcache", "memcached", "couchdb", "cassandra",
    "neo4j", "solr", "zookeeper", "kafka", "tomcat", "odoo", "svn", "nagios", "zabbix", "asterisk", "vault", "consul",
    "unit", "uwsgi", "flink", "spark",
];

/// What is known of a user's home directory; `made` has the accounts that RUNs have made or changed before.
pub(super) fn home_of(user: &str, made: &[(String, String)]) -> Home {
    if let Some((_, home)) = made.iter().rev().find(|(name, _)| name == user) {
        return match home.as_str() {
            "" => Home::Unknown,
            USUAL => Home::Usual,
            _ => Home::Said(home.clone()),
        };
    }
    if let Some((_, places)) = PLACES.iter().find(|(name, _)| *name == user) {
        return Home::OneOf(places);
    }
    match SYSTEM.contains(&user) || user.starts_with('_') || user.starts_with("systemd-") {
        true => Home::Unknown,
        false => Home::Usual,
    }
}

/// Stands for a folder below it.
const USUAL: &str = "/home";

/// What makes accounts and moves their homes.
const TOOLS: [&str; 3] = ["useradd", "adduser", "usermod"];

/// The accounts that a script makes or changes, and their home directories: `/home` where it is given none, nothing where
/// it is not known. An account that only one branch makes is taken for made.
#[must_use]
pub fn accounts_made(script: &str) -> Vec<(String, String)> {
    // Most scripts make none, and need not be parsed.
    if !TOOLS.iter().any(|t| script.contains(t)) {
        return Vec::new();
    }
    let mut lines = words_of_script(script);
    lines.sort_by_key(|(at, _)| *at);
    lines
        .iter()
        .filter_map(|(_, words)| account_of(words))
        .collect()
}

fn account_of(words: &[String]) -> Option<(String, String)> {
    let at = words
        .iter()
        .position(|w| !matches!(w.as_str(), "sudo" | "exec" | "command" | "busybox"))?;
    let (path, rest) = (words[at].as_str(), &words[at + 1..]);
    let tool = path.rsplit('/').next().unwrap_or(path);
    if !TOOLS.contains(&tool) {
        return None;
    }
    let mut home: Option<String> = None;
    let mut names: Vec<&String> = Vec::new();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, inline) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            match name {
                "home" | "home-dir" => home = inline.or_else(|| rest.next().cloned()),
                "base-dir" | "root" | "prefix" | "conf" => home = Some(String::new()),
                _ if super::account::takes_a_value(name) && inline.is_none() => {
                    let _ = rest.next();
                }
                _ => {}
            }
        } else if let Some(cluster) = word.strip_prefix('-') {
            let (own, valued) = match tool {
                "adduser" => ('h', &['h', 'g', 's', 'G', 'u', 'k'][..]),
                _ => (
                    'd',
                    &[
                        'd', 'b', 'c', 'e', 'f', 'g', 'G', 'k', 'K', 'p', 's', 'u', 'l',
                    ][..],
                ),
            };
            // The value of the last letter is the next word, or what is left of this one.
            let Some(letter) = cluster.find(valued) else {
                continue;
            };
            let inline = &cluster[letter + 1..];
            let value = match inline {
                "" => rest.next().cloned(),
                _ => Some(inline.to_owned()),
            };
            let letter = cluster[letter..].chars().next();
            if letter == Some(own) {
                home = value;
            } else if letter == Some('b') {
                home = Some(String::new());
            }
        } else {
            names.push(word);
        }
    }
    // `adduser user group` adds one to the other.
    let name = match tool {
        "adduser" => names.first(),
        _ => names.last(),
    }?;
    if home.is_none() && (tool == "usermod" || tool == "adduser" && names.len() == 2) {
        return None;
    }
    let home = home.unwrap_or_else(|| USUAL.to_owned());
    let plain = home.starts_with('/') && home != "/" && !home.contains(['$', '*', '?', '~']);
    let home = home.trim_end_matches('/').to_owned();
    Some(((*name).clone(), if plain { home } else { String::new() }))
}

#[cfg(test)]
mod tests {
    use super::accounts_made;
    use crate::footprint::{Extent, PathClaim, RunState, of_script};

    fn state(user: &str, made: &str) -> RunState {
        RunState {
            cwd: Some("/app".to_owned()),
            user: Some(user.to_owned()),
            homes: accounts_made(made),
            ..RunState::default()
        }
    }

    /// User, what earlier RUNs do, and where npm looks for `.gitconfig`; nothing where that is not known.
    #[rustfmt::skip]
    const USERS: &[(&str, &str, &[&str])] = &[
        ("www-data", "", &["/var/www/.gitconfig", "/home/www-data/.gitconfig"]),
        ("www-data:www-data", "", &["/var/www/.gitconfig", "/home/www-data/.gitconfig"]),
        ("postgres", "", &["/var/lib/postgresql/.gitconfig"]),
        ("nobody", "", &[]),
        ("daemon", "", &[]),
        ("_apt", "", &[]),
        ("git", "", &[]),
        ("git", "adduser -D git", &["/home/git/.gitconfig"]),
        ("git", "adduser -H -D -h /data/git git", &["/data/git/.gitconfig"]),
        ("app", "", &["/home/app/.gitconfig"]),
        ("app", "useradd -m app", &["/home/app/.gitconfig"]),
        ("app", "set -e; groupadd app && useradd -r -g app -d /srv/app app", &["/srv/app/.gitconfig"]),
        ("app", "useradd --home-dir=/srv/app/ --shell /bin/sh app", &["/srv/app/.gitconfig"]),
        ("app", "useradd -md /srv/app app", &["/srv/app/.gitconfig"]),
        ("app", "useradd -m -d $DIR app", &[]),
        ("app", "useradd -b /srv app", &[]),
        ("app", "useradd app && usermod -d /opt/app app", &["/opt/app/.gitconfig"]),
        ("app", "useradd -d /x app && usermod -aG docker app", &["/x/.gitconfig"]),
        ("app", "adduser --disabled-password --gecos \"An App\" --home /srv/app app", &["/srv/app/.gitconfig"]),
        ("app", "useradd -u ${UID} -d /srv/app app", &["/srv/app/.gitconfig"]),
        ("nginx", "apt-get install -y adduser nginx", &["/var/cache/nginx/.gitconfig", "/var/lib/nginx/.gitconfig"]),
        ("www-data", "usermod -u 1000 www-data && adduser www-data tty", &["/var/www/.gitconfig", "/home/www-data/.gitconfig"]),
    ];

    #[test]
    fn homes_are_where_accounts_have_them() {
        for (user, made, places) in USERS {
            let f = of_script("npm ci", &state(user, made));
            assert_eq!(places.is_empty(), f.opaque.is_some(), "{user}: {made}");
            for place in *places {
                let wanted = PathClaim {
                    path: (*place).to_owned(),
                    extent: Extent::Exact,
                };
                let found = f.reads.claims.iter().any(|c| c.covers(&wanted));
                assert!(found, "{user}, {made}: {place} in {:?}", f.reads.claims);
            }
        }
    }

    #[test]
    fn caches_are_written_in_both_places() {
        let f = of_script("npm ci", &state("www-data", ""));
        for place in ["/var/www/.npm", "/home/www-data/.npm"] {
            let wanted = PathClaim::subtree(place);
            assert!(f.writes.claims.iter().any(|c| c.covers(&wanted)), "{place}");
        }
        assert!(
            !f.assumptions.iter().any(|a| a.contains("below /home")),
            "{:?}",
            f.assumptions
        );
    }

    #[test]
    fn a_home_that_is_removed_is_where_it_was() {
        let root = |script: &str, made: &str| of_script(script, &state("root", made));
        let gone = |f: &crate::footprint::Footprint, place: &str| {
            let wanted = PathClaim::subtree(place);
            f.writes.claims.iter().any(|c| c.covers(&wanted))
        };
        assert!(gone(&root("userdel -r www-data", ""), "/var/www"));
        assert!(gone(
            &root("userdel -r app", "useradd -d /srv/app app"),
            "/srv/app"
        ));
        assert!(gone(&root("userdel -r node", ""), "/home"));
        assert!(root("userdel -r games", "").opaque.is_some());
        assert!(root("userdel games", "").opaque.is_none());
    }
}
