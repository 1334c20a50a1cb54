//! What the build itself is told about the container of every RUN.
//!
//! Goes in: values as `docker build` takes them. Comes out: what the builder makes of them, in the form
//! that is in a RUN's key. Costs nothing to speak of. Invariant: two values with one effect on the key
//! are one here. All rules were tried with buildx 0.29 and BuildKit 0.25 (experiments rows 101, 102).

use super::key::Key;
use super::mount;
use std::collections::BTreeMap;

/// Flags of a build that are in the key of every RUN.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunFlags {
    /// `--network`: `none` or `host`; empty and `default` are the builder's own.
    pub network: String,
    /// `--add-host`, `NAME:IP` or `NAME=IP`, in order. Only the names are in the key.
    pub hosts: Vec<String>,
    /// `--shm-size`; 0 is the builder's own.
    pub shm_size: Option<String>,
    /// `--ulimit`, `TYPE=SOFT[:HARD]`.
    pub ulimits: Vec<String>,
}

/// Names of limits (`ulimitNameMapping` of docker/go-units).
const LIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl RunFlags {
    /// The network, empty for the builder's own.
    pub(super) fn network(&self) -> &str {
        match self.network.as_str() {
            "default" => "",
            network => network,
        }
    }

    /// Names of hosts in the order in which they are given, once for each address. The frontend takes
    /// them in small letters (`parseExtraHosts`).
    pub(super) fn host_names(&self) -> Vec<String> {
        let name = |host: &String| {
            let parts = host.split_once('=').or_else(|| host.split_once(':'));
            parts.map_or(host.as_str(), |(name, _)| name).to_lowercase()
        };
        self.hosts.iter().map(name).collect()
    }

    /// Bytes of shared memory, or what was written where that is no size.
    #[must_use]
    pub fn shared_memory(&self) -> Option<String> {
        let size = self.shm_size.as_deref().filter(|size| !size.is_empty())?;
        let size = mount::bytes(size).map_or_else(|| size.to_owned(), |bytes| bytes.to_string());
        (size != "0").then_some(size)
    }

    /// `TYPE=SOFT:HARD` by type; of several for one type the last one counts.
    #[must_use]
    pub fn limits(&self) -> Vec<String> {
        let mut by_type = BTreeMap::new();
        for text in &self.ulimits {
            let (name, value) = match limit(text) {
                Ok((name, soft, hard)) => (name, format!("{name}={soft}:{hard}")),
                Err(_) => (text.as_str(), text.clone()),
            };
            by_type.insert(name, value);
        }
        by_type.into_values().collect()
    }

    /// Adds what is not the builder's own; the network is not among it, since a RUN may have another.
    pub(super) fn add_to(&self, key: &mut Key) {
        let (hosts, limits, memory) = (self.host_names(), self.limits(), self.shared_memory());
        if hosts.is_empty() && limits.is_empty() && memory.is_none() {
            return;
        }
        key.list(&hosts).list(&limits);
        key.text(memory.as_deref().unwrap_or_default());
    }

    /// What the builder's client refuses before anything is built. Addresses and networks are not
    /// looked at.
    ///
    /// # Errors
    /// The first value that it refuses, with the reason.
    pub fn check(&self) -> Result<(), String> {
        for host in &self.hosts {
            let parts = host.split_once('=').or_else(|| host.split_once(':'));
            if parts.is_none_or(|(name, _)| name.is_empty()) {
                return Err(format!(
                    "the extra host {host:?} is not a name and an address"
                ));
            }
        }
        if let Some(size) = self.shm_size.as_deref().filter(|size| !size.is_empty())
            && mount::bytes(size).is_none()
        {
            return Err(format!("{size:?} is no size of shared memory"));
        }
        let refused = |text: &String| {
            limit(text)
                .err()
                .map(|why| format!("the ulimit {text:?} {why}"))
        };
        self.ulimits.iter().find_map(refused).map_or(Ok(()), Err)
    }
}

/// One limit as docker's client reads it (`ParseUlimit` of docker/go-units): one number is both.
fn limit(text: &str) -> Result<(&str, i64, i64), &'static str> {
    let (name, values) = text.split_once('=').ok_or("has no value")?;
    if !LIMITS.contains(&name) {
        return Err("is of a type that does not exist");
    }
    let number = |text: &str| {
        text.parse::<i64>()
            .map_err(|_| "has a value that is no number")
    };
    let (soft, hard) = match values.split_once(':') {
        None => (number(values)?, number(values)?),
        Some((soft, hard)) => (number(soft)?, number(hard)?),
    };
    // -1 is no limit.
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err("has a soft limit above the hard one");
    }
    Ok((name, soft, hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn one_effect_is_one_form() {
        let hosts = RunFlags {
            hosts: texts(&["Db:1.2.3.4", "v6=::1", "v6:[::2]"]),
            ..RunFlags::default()
        };
        assert_eq!(hosts.host_names(), ["db", "v6", "v6"]);
        let rows: [(&[&str], &[&str]); 4] = [
            (&["nofile=1"], &["nofile=1:1"]),
            (&["nofile=1:2", "core=0"], &["core=0:0", "nofile=1:2"]),
            (&["nofile=1:2", "nofile=1:3"], &["nofile=1:3"]),
            (&["core=-1"], &["core=-1:-1"]),
        ];
        for (ulimits, limits) in rows {
            let flags = RunFlags {
                ulimits: texts(ulimits),
                ..RunFlags::default()
            };
            assert_eq!(flags.limits(), limits, "{ulimits:?}");
        }
        for (size, bytes) in [
            ("64m", Some("67108864")),
            ("67108864", Some("67108864")),
            ("1.5g", Some("1610612736")),
            ("64 MiB", Some("67108864")),
            ("0", None),
            ("", None),
        ] {
            let flags = RunFlags {
                shm_size: Some(size.to_owned()),
                ..RunFlags::default()
            };
            assert_eq!(flags.shared_memory().as_deref(), bytes, "{size}");
        }
    }

    #[test]
    fn what_the_client_refuses() {
        let with = |hosts: &[&str], size: &str, ulimits: &[&str]| {
            let flags = RunFlags {
                hosts: texts(hosts),
                shm_size: Some(size.to_owned()),
                ulimits: texts(ulimits),
                ..RunFlags::default()
            };
            flags.check()
        };
        for (hosts, size, ulimits) in [
            (
                &["a=1.1.1.1", "b:::1", "c=", "d=host-gateway"][..],
                "64m",
                &["core=0:-1", "core=-1"][..],
            ),
            (&[], "", &[]),
        ] {
            assert_eq!(with(hosts, size, ulimits), Ok(()));
        }
        for (hosts, size, ulimits) in [
            (&["a"][..], "", &[][..]),
            (&["=1.1.1.1"], "", &[]),
            (&[], "abc", &[]),
            (&[], "-1", &[]),
            (&[], "", &["foo=1"]),
            (&[], "", &["nofile"]),
            (&[], "", &["nofile=a"]),
            (&[], "", &["nofile=1:2:3"]),
            (&[], "", &["nofile=3:1"]),
            (&[], "", &["core=-1:0"]),
        ] {
            let refused = with(hosts, size, ulimits);
            assert!(refused.is_err(), "{hosts:?} {size} {ulimits:?}");
        }
    }
}
