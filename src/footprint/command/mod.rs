//! What single programs read and write: one file per family.
//!
//! Goes in: a [`Call`], a program with its arguments. Comes out: claims, or the reason why nothing is
//! known. Invariant: a program or an option that is not listed is a reason, never a guess.

mod account;
mod archive;
pub(super) mod builtin;
mod bun;
mod cargo;
mod common;
mod compiler;
mod composer;
mod compress;
mod conda;
mod coreutils;
mod debian;
mod dotnet;
mod download;
mod find;
mod git;
mod go;
pub(in crate::footprint) mod homes;
pub(in crate::footprint) mod java;
mod keys;
#[cfg(test)]
mod lines;
mod maven;
mod mix;
mod node;
mod npm;
mod pip;
mod pnpm;
mod poetry;
mod python;
mod recipes;
mod ruby;
mod sed;
mod system;
mod system_packages;
mod text;
mod users;
mod uv;
pub(super) mod wrapper;
mod yarn;

use super::argument::Argument;
use super::claims::Claims;
use super::path_set::resolve;
use super::shell_state::Shell;
use super::{Extent, PathClaim};
use homes::Home;

/// One program about to run. What every program reads has been claimed already.
pub(super) struct Call<'a> {
    /// Its name without a directory.
    pub(super) name: &'a str,
    /// Its arguments.
    pub(super) arguments: &'a [Argument],
    /// The state it starts in.
    pub(super) shell: &'a Shell,
    /// Where its claims go.
    pub(super) claims: &'a mut Claims,
}

/// Result of describing a program; the reason why it is opaque otherwise.
pub(super) type Described = Result<(), String>;

/// Describes a program's reads and writes.
///
/// # Errors
/// The reason why nothing is known about it.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    match call.name {
        "apt" | "apt-get" | "apk" | "dnf" | "microdnf" | "yum" => system_packages::run(call),
        "pip" | "pip3" => pip::run(call, call.arguments),
        name if is_python(name) => python::run(call),
        name if name.strip_prefix("pip3.").is_some_and(is_number) => pip::run(call, call.arguments),
        "virtualenv" => python::virtualenv(call),
        "pybabel" => python::pybabel(call),
        "poetry" => poetry::run(call),
        "uv" => uv::run(call),
        "conda" | "mamba" | "micromamba" => conda::run(call),
        "npm" => npm::run(call),
        "yarn" | "yarnpkg" => yarn::run(call),
        "pnpm" => pnpm::run(call),
        "bun" => bun::bun(call),
        "corepack" => bun::corepack(call),
        "go" => go::run(call),
        "cargo" => cargo::run(call),
        "rustup" => cargo::rustup(call),
        "mvn" => maven::run(call),
        "gradle" => java::gradle(call),
        "sbt" => java::sbt(call),
        "bundle" | "bundler" => ruby::bundle(call),
        "gem" => ruby::gem(call),
        "composer" => composer::run(call),
        "dotnet" => dotnet::run(call),
        "mix" => mix::mix(call),
        "rebar3" => mix::rebar3(call),
        "useradd" | "groupadd" | "adduser" | "addgroup" | "usermod" | "groupmod" => {
            account::run(call)
        }
        "deluser" | "userdel" | "delgroup" | "groupdel" | "passwd" | "chpasswd" | "chsh"
        | "gpasswd" | "chage" => users::run(call),
        "dpkg" => debian::dpkg(call),
        "dpkg-query" | "dpkg-reconfigure" | "dpkg-divert" | "dpkg-statoverride"
        | "dpkg-architecture" => debian::dpkg_other(call),
        "apt-key" | "add-apt-repository" | "apt-add-repository" => debian::sources(call),
        "apt-mark" | "apt-cache" | "lsb_release" => debian::marks(call),
        "debconf-set-selections" | "debconf-show" => debian::debconf(call),
        "update-alternatives" | "alternatives" => debian::alternatives(call),
        "update-ca-certificates"
        | "update-ca-trust"
        | "ldconfig"
        | "locale-gen"
        | "localedef"
        | "update-locale"
        | "systemctl"
        | "update-rc.d"
        | "rc-update"
        | "chkconfig"
        | "setcap"
        | "getcap"
        | "mkfifo"
        | "mknod"
        | "getent"
        | "a2ensite"
        | "a2dissite"
        | "a2enmod"
        | "a2dismod"
        | "a2enconf"
        | "a2disconf"
        | "phpenmod"
        | "phpdismod"
        | "locale" => system::run(call),
        "git" => git::run(call),
        "gpg" | "gpg2" => keys::gpg(call),
        "openssl" => keys::openssl(call),
        "ssh-keygen" | "ssh-keyscan" => keys::ssh(call),
        "gzip" | "gunzip" | "zcat" | "gzcat" | "pigz" | "unpigz" | "bzip2" | "bunzip2"
        | "bzcat" | "pbzip2" | "xz" | "unxz" | "xzcat" | "lzma" | "unlzma" | "lzcat" | "zstd"
        | "zstdmt" | "unzstd" | "zstdcat" => compress::run(call),
        "7z" | "7za" | "7zr" | "7zz" => compress::seven_zip(call),
        "strip" => compiler::strip(call),
        name if compiler::is_compiler(name) => compiler::run(call),
        "jq" | "envsubst" | "awk" | "gawk" | "mawk" | "nawk" | "patch" | "rsync" => text::run(call),
        "curl" => download::curl(call),
        "wget" => download::wget(call),
        "tar" => archive::tar(call),
        "unzip" => archive::unzip(call),
        "sed" => sed::run(call),
        _ => recipes::run(call).unwrap_or_else(|| coreutils::run(call)),
    }
}

/// Programs of every system, that load little and look at nothing they are not told to.
pub(super) fn is_everyday(name: &str) -> bool {
    matches!(
        name,
        "sh" | "ash" | "dash" | "bash" | "find" | "sed" | "env" | "nice" | "timeout" | "time"
    ) || coreutils::knows(name)
}

/// Programs that leave plain files and folders, whose times nobody asks for.
pub(super) fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "curl" | "wget" | "useradd" | "groupadd" | "adduser" | "addgroup" | "usermod" | "groupmod"
    )
}

/// `python`, `python3`, `python3.12`
pub(super) fn is_python(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|v| v.is_empty() || is_number(v))
}

/// Programs that look at the files of a project: package managers and build tools of languages.
pub(super) fn works_on_projects(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "bun",
        "bundle",
        "bundler",
        "cargo",
        "composer",
        "conda",
        "dotnet",
        "gem",
        "go",
        "gradle",
        "make",
        "mamba",
        "micromamba",
        "mix",
        "mvn",
        "npm",
        "npx",
        "pip",
        "pip3",
        "pipenv",
        "pnpm",
        "poetry",
        "pybabel",
        "rebar3",
        "sbt",
        "turbo",
        "uv",
        "yarn",
        "yarnpkg",
    ];
    NAMES.contains(&name) || is_python(name)
}

/// Programs that run scripts of a JavaScript project.
pub(super) fn builds_projects(name: &str) -> bool {
    matches!(name, "npm" | "pnpm" | "yarn")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Directories whose programs are known by their name alone.
pub(super) fn is_program_directory(directory: &str) -> bool {
    matches!(
        directory,
        "/bin" | "/sbin" | "/usr/bin" | "/usr/sbin" | "/usr/local/bin" | "/usr/local/sbin"
    )
}

/// Paths that are no files of a layer.
pub(super) fn is_device(path: &str) -> bool {
    matches!(
        path,
        "/dev/null"
            | "/dev/stdin"
            | "/dev/stdout"
            | "/dev/stderr"
            | "/dev/tty"
            | "/dev/zero"
            | "/dev/urandom"
            | "/dev/random"
    ) || path.starts_with("/dev/fd/")
        || path.starts_with("/proc/self/fd/")
}

impl Call<'_> {
    /// The directory it runs in.
    pub(super) fn directory(&self) -> Result<&str, String> {
        let cwd = self.shell.cwd.as_deref();
        cwd.ok_or_else(|| "the working directory is not known".to_string())
    }

    /// The path an argument names, absolute. A pattern stands for everything in the directory its
    /// first pattern character is in.
    pub(super) fn path(
        &mut self,
        argument: &Argument,
        extent: Extent,
    ) -> Result<PathClaim, String> {
        let (text, extent) = match argument {
            Argument::Known(text) => (text.as_str(), extent),
            Argument::Pattern { prefix, .. } => {
                let directory = prefix.rsplit_once('/').map_or("", |(d, _)| d);
                match (directory, prefix.starts_with('/')) {
                    ("", true) => ("/", Extent::Subtree),
                    ("", false) => (".", Extent::Subtree),
                    _ => (directory, Extent::Subtree),
                }
            }
            Argument::Unknown { .. } => return Err("a path is not known".to_string()),
        };
        let path = self.resolve(text)?;
        let cwd = self.shell.cwd.as_deref();
        self.claims.climb(cwd, text);
        Ok(PathClaim { path, extent })
    }

    /// An absolute path of a text.
    pub(super) fn resolve(&self, text: &str) -> Result<String, String> {
        if text.is_empty() {
            return Err("a path is empty".to_string());
        }
        let path = resolve(self.shell.cwd.as_deref(), text);
        path.ok_or_else(|| "the working directory is not known".to_string())
    }

    /// Claims to read what an argument names.
    pub(super) fn read(&mut self, argument: &Argument, extent: Extent) -> Described {
        let claim = self.path(argument, extent)?;
        if !is_device(&claim.path) {
            self.claims.read(claim.extent, claim.path);
        }
        Ok(())
    }

    /// Claims to write what an argument names.
    pub(super) fn write(&mut self, argument: &Argument, extent: Extent) -> Described {
        let claim = self.path(argument, extent)?;
        if !is_device(&claim.path) {
            self.claims.write(claim.extent, claim.path);
        }
        Ok(())
    }

    /// Claims to create a directory with those above it, where they are missing.
    pub(super) fn create_directories(&mut self, argument: &Argument) -> Described {
        let claim = self.path(argument, Extent::Exact)?;
        match claim.extent {
            Extent::Exact => self.claims.make(&claim.path),
            Extent::Subtree => {
                self.claims.make(&claim.path);
                self.claims.write(Extent::Subtree, claim.path);
            }
        }
        Ok(())
    }

    /// Claims to look up the user and group of `user:group`, either of which may be missing.
    pub(super) fn read_owner(&mut self, owner: &Argument) {
        let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let Some(text) = owner.known() else {
            self.claims.read(Extent::Exact, "/etc/passwd");
            self.claims.read(Extent::Exact, "/etc/group");
            return;
        };
        let (user, group) = text.split_once([':', '.']).unwrap_or((text, ""));
        if !user.is_empty() && !number(user) {
            self.claims.read_account(user);
        }
        if !group.is_empty() && !number(group) {
            self.claims.read_group(group);
        }
        // `user:` is the user's own group, whose number the user database knows.
    }

    /// The user's home directory as far as claims go: itself for root, `/home` where a named user's is somewhere below it.
    /// Where it may be one of several, what is claimed in this one is claimed in the others too.
    pub(super) fn home(&mut self) -> Result<String, String> {
        if let Some(Some(home)) = self.shell.variables.get("HOME") {
            return self.resolve(&home.clone());
        }
        if self.shell.variables.contains_key("HOME") {
            return Err("the home directory is not known".to_string());
        }
        if self.shell.is_root() {
            return Ok("/root".to_string());
        }
        let user = self.shell.user.clone().unwrap_or_default();
        if user.contains('$') || user.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the user's home directory is not known".to_string());
        }
        self.home_of(&user)
    }

    /// The same for a user by name.
    pub(super) fn home_of(&mut self, user: &str) -> Result<String, String> {
        match homes::home_of(user, &self.shell.homes) {
            Home::Usual => {
                self.claims
                    .assume(format!("the home directory of user {user} is below /home"));
                Ok("/home".to_string())
            }
            Home::Said(home) => {
                self.claims.assume(format!(
                    "the home directory of user {user} is {home}, as the Dockerfile makes it"
                ));
                Ok(home)
            }
            Home::OneOf(places) => {
                self.claims.assume(format!(
                    "the home directory of user {user} is {}",
                    places.join(" or ")
                ));
                self.claims.alike(places);
                Ok(places[0].to_string())
            }
            Home::Unknown => Err(format!("the home directory of user {user} is not known")),
        }
    }
}
