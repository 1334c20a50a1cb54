//! `cacheplan layers`: what each layer adds, hides and holds twice, and what is pushed again.

mod archive;
pub mod files;

use super::args::{Cli, DiskArg, DockerfileFrom, LayersArgs, LayersFormat};
use super::context::source;
use super::progress::phase;
use super::subject::{Place, Subject, load_one, load_one_replayed};
use super::timeline::{Replayed, read_builds, replay_subject};
use super::{Done, analyze, history_notes, output};
use crate::context::Hashing;
use crate::cost::CostTable;
use crate::image::{Disk, Store};
use crate::layers::{self, ImageLayers, Model, Pushed, Sent, pushed, store_of};
use crate::plan::{Base, Plan};
use crate::report::layers::{
    DuplicateRow, HistoryRow, LayerRow, LayersReport, LostRow, PlaceRow, PushedRow, StoreRow,
    Totals, markdown, text,
};
use anyhow::{Result, bail};

/// Groups of equal files that are listed.
const MOST_DUPLICATES: usize = 50;
/// Places listed of one group.
const MOST_PLACES: usize = 20;

pub fn run(cli: &Cli, args: &LayersArgs) -> Result<Done> {
    if args.history.dockerfile_from == DockerfileFrom::Each {
        bail!("--dockerfile-from each: `layers` looks at the layers of today's Dockerfile");
    }
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    let subject = load_one(&place, &args.place.build, &args.history.volatile_args)?;
    output::diagnostics(cli, &subject.diagnostics);
    if subject.failed() {
        return Ok(Done::WrongInput);
    }
    let costs = analyze::costs(&place, &args.history)?;
    let context = source::context(cli, &place, &subject, Hashing::SameSize)?;
    let files = files::Files::new(&place, &subject, &context);
    let sent = Sent::new(files.entries(), &files);
    let busy = phase(cli, "replaying");
    let replayed = replay(cli, &place, args, &subject, &costs)?;
    drop(busy);
    let builds = replayed.as_ref().map(|(replayed, _)| replayed);
    let plan = builds
        .and_then(|r| r.plans.first())
        .unwrap_or(&subject.plan);
    let disk = match args.disk {
        Some(DiskArg::Ext4) => Disk::Ext4,
        Some(DiskArg::Tmpfs) => Disk::Tmpfs,
        None => costs.disk().unwrap_or_default(),
    };
    let store = store_of(plan.builder, disk);
    let found = Model {
        plan,
        sent: &sent,
        costs: &costs,
        store,
        ignored: None,
    }
    .layers();
    let again = builds.map(|r| pushed(&found, plan, &r.outcome));
    let mut report = report(&subject, plan, store, &found, again.as_ref());
    if let (Some((_, range)), Some((_, builds))) = (replayed.as_ref(), &again) {
        report.history = Some(HistoryRow {
            builds: *builds,
            from: range.0.clone(),
            to: range.1.clone(),
            policy: args.history.cache_policy.to_string(),
        });
    }
    if let Some(file) = &args.image {
        let _busy = phase(cli, "reading the image");
        let image = archive::report(file, plan, store, &found)?;
        archive::beside(&mut report.layers, &image);
        report.image = Some(image);
    }
    let bytes = match args.format {
        LayersFormat::Json => output::json(&report)?,
        LayersFormat::Text => text(&report, output::width()).into_bytes(),
        LayersFormat::Markdown => markdown(&report).into_bytes(),
    };
    output::write(args.output.as_deref(), &bytes)?;
    Ok(Done::Fine)
}

/// The replay, with the oldest and the newest commit; `None` where there is no history, or none that tells.
fn replay(
    cli: &Cli,
    place: &Place,
    args: &LayersArgs,
    subject: &Subject,
    costs: &CostTable,
) -> Result<Option<(Replayed, (String, String))>> {
    let flags = &args.history;
    let asked = flags.since.is_some() || flags.range.is_some();
    if place.repository.is_none() {
        if asked {
            place.repository()?;
        }
        return Ok(None);
    }
    let same = load_one_replayed(place, &args.place.build, flags)?.0;
    let declined = same.diagnostics.iter().find(|(_, d)| d.is_error());
    if let Some((_, why)) = declined {
        output::note(cli, &format!("note: no figures per build: {}", why.message));
        return Ok(None);
    }
    let found = read_builds(cli, place, flags, &[subject]).and_then(|builds| {
        let replayed = replay_subject(place, flags, &builds, subject, costs)?;
        Ok((builds, replayed))
    });
    let (builds, replayed) = match found {
        Ok(found) => found,
        // A repository without commits has files all the same.
        Err(e) if !asked => {
            output::note(cli, &format!("note: no figures per build: {e:#}"));
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    output::diagnostics(cli, &history_notes::about(&builds, &[subject]));
    let mut commits = builds.log.commits.iter().map(|c| c.id.to_string());
    let oldest = commits.next().unwrap_or_default();
    let range = (oldest.clone(), commits.next_back().unwrap_or(oldest));
    Ok(Some((replayed, range)))
}

fn report(
    subject: &Subject,
    plan: &Plan,
    store: Store,
    found: &ImageLayers,
    again: Option<&(Vec<Pushed>, usize)>,
) -> LayersReport {
    let id = |n: usize| layers::id(plan, &found.layers[n]).to_string();
    let line = |n: usize| plan.graph[found.layers[n].step].line;
    let mut rows = Vec::new();
    for (n, layer) in found.layers.iter().enumerate() {
        let step = &plan.graph[layer.step];
        // Several commands may take away one and the same.
        let whole = layer.bytes.unwrap_or(u64::MAX);
        let lost: Vec<LostRow> = layer
            .lost
            .iter()
            .map(|l| LostRow {
                by: id(l.by),
                line: line(l.by),
                kind: l.kind.as_str(),
                at_most: l.at_most,
                bytes: l.bytes.min(whole),
            })
            .collect();
        let sum = |at_most: bool| {
            let of = lost.iter().filter(|l| at_most || !l.at_most);
            of.map(|l| l.bytes).fold(0, u64::saturating_add).min(whole)
        };
        let (sure, all) = (sum(false), sum(true));
        let pushed = again.map(|(pushed, builds)| {
            let per_build = layer.bytes.map(|b| pushed[n].per_build(b, *builds));
            PushedRow {
                anew: pushed[n].anew,
                maybe: pushed[n].maybe,
                bytes_per_build: per_build.map(|(most, _)| most),
                bytes_per_build_min: per_build.map(|(_, least)| least),
            }
        });
        rows.push(LayerRow {
            id: step.id.to_string(),
            name: step.name.clone(),
            line: step.line,
            bytes: layer.bytes,
            bytes_source: layer.source.as_str(),
            files: layer.files,
            lost,
            lost_bytes: sure,
            // Of one layer no more is lost than is in it.
            lost_bytes_max: layer.bytes.map_or(all, |b| all.min(b.max(sure))),
            pushed,
            image: None,
        });
    }
    let duplicates = found.duplicates.iter().take(MOST_DUPLICATES);
    let row = |d: &layers::Duplicates| DuplicateRow {
        size: d.size,
        wasted: d.wasted(),
        places: d
            .places
            .iter()
            .take(MOST_PLACES)
            .map(|(n, path)| PlaceRow {
                step: Some(id(*n)),
                layer: None,
                path: path.clone(),
            })
            .collect(),
        more: d.places.len().saturating_sub(MOST_PLACES),
    };
    let sum = |of: &dyn Fn(&LayerRow) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
    let per_build = |of: &dyn Fn(&PushedRow) -> f64| {
        let all = rows.iter().map(|r| r.pushed.as_ref().map(of));
        all.collect::<Option<Vec<f64>>>()
            .filter(|_| again.is_some())
            .map(|l| l.iter().sum::<f64>() + 0.0)
    };
    let wasted = found.duplicates.iter().map(layers::Duplicates::wasted);
    let totals = Totals {
        image_bytes: found.bytes(),
        unknown_layers: rows.iter().filter(|r| r.bytes.is_none()).count(),
        wasted_bytes: sum(&|r| r.lost_bytes),
        wasted_bytes_max: sum(&|r| r.lost_bytes_max),
        duplicate_bytes: wasted.fold(0, u64::saturating_add),
        pushed_bytes_per_build: per_build(&|p| p.bytes_per_build.unwrap_or(0.0)),
        pushed_bytes_per_build_min: per_build(&|p| p.bytes_per_build_min.unwrap_or(0.0)),
    };
    LayersReport {
        schema: "cacheplan.layers/1",
        file: subject.file.clone(),
        context: subject.context.clone(),
        target: subject.options.target.clone(),
        base: base(plan),
        store: StoreRow {
            builder: plan.builder.name,
            counts: match store {
                Store::Overlay2 => "file-bytes",
                Store::Containerd(_) => "blocks",
            },
            disk: match store {
                Store::Overlay2 => None,
                Store::Containerd(disk) => Some(disk.as_str()),
            },
        },
        duplicates: duplicates.map(row).collect(),
        more_duplicates: found.duplicates.len().saturating_sub(MOST_DUPLICATES),
        layers: rows,
        totals,
        history: None,
        image: None,
    }
}

/// The image that the target stands on in the end; `None` for nothing.
fn base(plan: &Plan) -> Option<String> {
    let mut at = plan.target;
    loop {
        match &plan.stages[at].base {
            Base::Stage(below) if *below < at => at = *below,
            Base::Stage(_) | Base::Scratch => return None,
            Base::Image(name) | Base::Context(name) => return Some(name.clone()),
        }
    }
}
