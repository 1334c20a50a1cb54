use super::sent::{Entry, Source, What};
use super::*;
use crate::dockerfile::parse;
use crate::plan::{BuildOptions, lower};
use crate::source::SourceFile;

/// `a 10`, `d/`, `l -> a`, `b 10 = a` (the same content).
struct Given(Vec<(String, u64)>);

impl Source for Given {
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        let of = |p: &String| self.0.iter().find(|(path, _)| path == p).map(|(_, s)| *s);
        paths.iter().map(of).collect()
    }
}

fn given(files: &[&str]) -> (Vec<Entry>, Given) {
    let mut sizes = Vec::new();
    let mut entries = Vec::new();
    for file in files {
        let (file, like) = file.split_once(" = ").unwrap_or((file, ""));
        let (path, what) = match file.split_once(" -> ") {
            Some((path, to)) => (path, What::Link(to.to_owned())),
            None if file.ends_with('/') => (file.trim_end_matches('/'), What::Folder),
            None => {
                let (path, size) = file.split_once(' ').expect("a size");
                sizes.push((path.to_owned(), size.parse().expect("a size")));
                (path, What::File)
            }
        };
        let name = if like.is_empty() { path } else { like };
        entries.push(Entry {
            path: path.to_owned(),
            digest: Some(*blake3::hash(name.as_bytes()).as_bytes()),
            mode: Some(0o644),
            what,
            same: None,
        });
    }
    (entries, Given(sizes))
}

const FILES: &[&str] = &[
    "a 10",
    "src/b 100",
    "src/c 1000",
    "src/d/e 4097",
    "l -> src",
    "b2 100 = src/b",
];

fn costs(steps: &str) -> CostTable {
    let text = format!(r#"{{"schema":"cacheplan.costs/1","steps":[{steps}]}}"#);
    CostTable::from_json(&text).expect("a costs file")
}

fn found(dockerfile: &str, store: Store, costs: &CostTable) -> (Plan, ImageLayers) {
    let options = BuildOptions::default();
    let plan = lower(
        &parse(&SourceFile::new("Dockerfile", dockerfile)).tree,
        &options,
    );
    assert!(!plan.has_errors(), "{:?}", plan.diagnostics);
    let (entries, source) = given(FILES);
    let sent = Sent::new(entries, &source);
    let model = Model {
        plan: &plan,
        sent: &sent,
        costs,
        store,
        ignored: None,
    };
    let layers = model.layers();
    (plan, layers)
}

/// A line for every layer: `LINE BYTES SOURCE`, and what is hidden of it.
fn table(dockerfile: &str, store: Store, costs: &CostTable) -> Vec<String> {
    let (plan, found) = found(dockerfile, store, costs);
    let line = |n: usize| plan.graph[found.layers[n].step].line;
    let one = |l: &Layer| {
        let bytes = l.bytes.map_or("?".to_owned(), |b| b.to_string());
        let lost = l.lost.iter().map(|x| {
            let most = if x.at_most { "<=" } else { "" };
            format!(" -{most}{} {} by {}", x.bytes, x.kind.as_str(), line(x.by))
        });
        let step = plan.graph[l.step].line;
        format!(
            "{step} {bytes} {}{}",
            l.source.as_str(),
            lost.collect::<String>()
        )
    };
    found.layers.iter().map(one).collect()
}

const BYTES: Store = Store::Overlay2;
const BLOCKS: Store = Store::Containerd(Disk::Tmpfs);

/// Round bytes for every class, whatever the priors are.
const ROUND: &str = include_str!("../../corpus/rewrites/round.json");

#[test]
fn copies_count_what_they_bring() {
    let priors = CostTable::from_json(ROUND).expect("costs");
    let file = "FROM x\nCOPY . /x\nCOPY src/b a /x/src/\nCOPY --from=y /z /z\nADD https://e.org/f /f\nCOPY l /l\nCOPY src/b /x/src/\n\
                FROM scratch\nCOPY --from=0 /x/src /s\nWORKDIR /w\n";
    assert_eq!(
        table(file, BYTES, &priors),
        ["9 5207 context", "10 0 context"]
    );
    let first = file.split("FROM scratch").next().expect("a stage");
    assert_eq!(
        table(first, BYTES, &priors),
        [
            "2 5307 context -100 overwritten by 3",
            "3 110 context -100 overwritten by 7",
            "4 ? unknown",
            "5 ? unknown",
            "6 5197 context",
            "7 100 context"
        ]
    );
    assert_eq!(
        table(first, BLOCKS, &priors),
        [
            "2 24576 context",
            "3 4096 context",
            "4 ? unknown",
            "5 ? unknown",
            "6 16384 context",
            "7 0 context"
        ]
    );
}

#[test]
fn what_commands_take_away_or_change_is_hidden_below() {
    let priors = CostTable::from_json(ROUND).expect("costs");
    for (lines, layers) in [
        (
            "COPY . /x\nRUN rm -rf /x/src/d /x/a",
            &["2 5307 context -4107 deleted by 3", "3 0 context"][..],
        ),
        (
            "COPY . /x\nRUN chown -R app /x/src\nRUN rm -r /x",
            &[
                "2 5307 context -5197 attributes by 3 -110 deleted by 4",
                "3 5197 context -5197 deleted by 4",
                "4 0 context",
            ],
        ),
        (
            "COPY src /x\nRUN npm ci --prefix /x\nRUN chown -R app /x",
            // npm leaves something elsewhere too, so it may be less.
            &[
                "2 5197 context -5197 attributes by 4",
                "3 150000000 learned -<=150000000 attributes by 4",
                "4 150005197 derived",
            ],
        ),
        (
            "WORKDIR /x\nCOPY a .\nRUN npm ci\nRUN rm -rf node_modules",
            &[
                "2 0 context",
                "3 10 context",
                "4 150000000 learned -<=150000000 deleted by 5",
                "5 0 context",
            ],
        ),
        (
            "COPY a /\nRUN echo hi && true",
            &["2 10 context", "3 0 context"],
        ),
        (
            "COPY a /\nRUN echo x > /a",
            &["2 10 context -10 overwritten by 3", "3 1000000 learned"],
        ),
        (
            "COPY a /\nRUN [\"rm\", \"/a\"]",
            &["2 10 context -10 deleted by 3", "3 0 context"],
        ),
    ] {
        let file = format!("FROM x\n{lines}\n");
        let found = table(&file, BYTES, &priors);
        let known: Vec<&str> = found.iter().map(String::as_str).collect();
        // What npm leaves beside the folder is its own business.
        assert_eq!(known, layers, "{lines}");
    }
}

/// An archive of 80 MiB, fetched and deleted in a RUN of its own or in the same one.
#[test]
fn a_download_deleted_in_its_own_step_stays_in_the_image() {
    const DOWNLOAD: u64 = 83_886_080;
    let url = "https://example.org/archive.tar.gz";
    for (fetch, unpack) in [
        (format!("wget -q {url}"), "tar -xzf archive.tar.gz -C /opt"),
        (
            format!("curl -fsSLO {url}"),
            "tar -xzf archive.tar.gz -C /opt",
        ),
        (
            format!("wget -q {url} -O /tmp/archive.tar.gz"),
            "tar -xzf /tmp/archive.tar.gz -C /opt",
        ),
    ] {
        let file = if fetch.contains("-O /tmp") {
            "/tmp/archive.tar.gz"
        } else {
            "archive.tar.gz"
        };
        let rule =
            format!(r#"{{"match":{{"keyword":"RUN","text":"{fetch}"}},"bytes":{DOWNLOAD}}}"#);
        let costs = costs(&rule);
        let weigh = |lines: &str| {
            let file = format!("FROM debian\nWORKDIR /w\n{lines}\n");
            found(&file, BYTES, &costs).1
        };
        let apart = weigh(&format!("RUN {fetch}\nRUN {unpack}\nRUN rm {file}"));
        let one = weigh(&format!("RUN {fetch} && {unpack} && rm {file}"));
        assert_eq!(apart.bytes() - one.bytes(), DOWNLOAD, "{fetch}");
        let lost = &apart.layers[1].lost;
        assert_eq!(
            (lost[0].bytes, lost[0].by, lost[0].at_most),
            (DOWNLOAD, 3, false),
            "{fetch}"
        );
        assert!(one.layers.iter().all(|l| l.lost.is_empty()));
        // Without a step between the two.
        let apart = weigh(&format!("RUN {fetch}\nRUN rm {file}"));
        let one = weigh(&format!("RUN {fetch} && rm {file}"));
        assert_eq!((apart.bytes(), one.bytes()), (DOWNLOAD, 0), "{fetch}");
        // Nobody else takes it away.
        let kept = weigh(&format!("RUN {fetch}\nRUN rm -rf /var/lib/apt/lists"));
        assert!(
            kept.layers[1].lost.is_empty(),
            "{fetch}: {:?}",
            kept.layers[1].lost
        );
    }
}

#[test]
fn rules_stand_above_what_files_tell_in_part() {
    let costs = costs(
        r#"{"match":{"keyword":"RUN","text":"npm ci && chown -R app /x"},"bytes":77},
           {"match":{"keyword":"RUN","text":"chmod 755 /y"},"bytes":5},
           {"match":{"keyword":"RUN","text":"chown -R app /x"},"bytes":5},
           {"match":{"keyword":"COPY","text":"/z /z"},"bytes":9},
           {"match":{"keyword":"COPY","text":"src /x"},"bytes":9}"#,
    );
    let file = "FROM x\nWORKDIR /n\nCOPY src /x\nRUN npm ci && chown -R app /x\nRUN chmod 755 /y\nCOPY --from=q /z /z\nCOPY src /w\nRUN chown -R app /w\n";
    assert_eq!(
        table(file, BYTES, &costs),
        [
            "2 0 context",
            "3 5197 context -5197 attributes by 4",
            "4 77 measured",
            "5 5 measured",
            "6 9 measured",
            "7 5197 context -5197 attributes by 8",
            "8 5197 context"
        ]
    );
}

#[test]
fn equal_files_are_duplicates_wherever_they_come_from() {
    let priors = CostTable::from_json(ROUND).expect("costs");
    let file = "FROM x AS y\nCOPY a /a\nFROM x\nCOPY . /x\nCOPY --from=y /a /a\nCOPY src/d/e /x/\n";
    let (_, found) = found(file, BYTES, &priors);
    let shown: Vec<String> = found
        .duplicates
        .iter()
        .map(|d| {
            let places = d.places.iter().map(|(n, p)| format!("{n}:{p}"));
            format!("{} {}", d.wasted(), places.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "4097 2:/x/e 0:/x/src/d/e",
            "100 0:/x/b2 0:/x/src/b",
            "10 1:/a 0:/x/a"
        ]
    );
}

#[test]
fn stores_are_those_of_the_profiles() {
    for (builder, store) in [
        (Builder::BUILDKIT, Store::Containerd(Disk::Ext4)),
        (Builder::BUILDKIT_0_32, Store::Containerd(Disk::Ext4)),
        (Builder::BUILDKIT_OVERLAY2, Store::Overlay2),
        (Builder::CLASSIC, Store::Overlay2),
    ] {
        assert_eq!(store_of(builder, Disk::Ext4), store);
    }
}

#[test]
fn stages_that_double_their_files_are_not_followed_for_ever() {
    let mut text = "FROM scratch AS s0\nCOPY a /d/\n".to_owned();
    for n in 1..60 {
        let copy = |to: u8| format!("COPY --from=s{} /d /d/{to}\n", n - 1);
        text.push_str(&format!("FROM scratch AS s{n}\n{}{}", copy(1), copy(2)));
    }
    let start = text.find("FROM scratch AS s9").unwrap_or_default();
    let (_, few) = found(&text[..start], Store::Overlay2, &CostTable::default());
    assert_eq!(few.layers[0].bytes, Some(10 << 7));
    let (_, many) = found(&text, Store::Overlay2, &CostTable::default());
    assert_eq!(many.layers[0].source, BytesSource::Unknown);
}
