//! What befalls a group: ends of processes and machines, cuts, bad weather, full disks.

use std::time::Duration;

use auscult_core::rng::Rng;
use tokio::time::Instant;

use crate::disk::End;
use crate::history::pass;
use crate::network::Weather;
use crate::world::World;

/// Something happens every now and then until the story is over.
pub(crate) async fn run(world: World, until: Instant) {
    let mut rng = world.rng(1);
    while Instant::now() < until {
        pass(Duration::from_millis(100 + rng.below(1_500))).await;
        let text = befall(&world, &mut rng);
        world.tell_fate(&text);
    }
}

fn befall(world: &World, rng: &mut Rng) -> String {
    let count = world.sites.len();
    let one = rng.below(count as u64) as usize;
    let site = &world.sites[one];
    let runs = site.running().is_some();
    match rng.below(12) {
        0 if runs => {
            site.platter.end(End::Kill);
            format!("m{one} is killed")
        }
        1 if runs => {
            site.platter.end(End::PowerCut);
            format!("m{one} loses power")
        }
        2..=4 => {
            let operations = 1 + rng.below(80);
            site.platter.end_after(operations);
            format!("m{one} will lose power after {operations} operations")
        }
        5 => {
            let side: Vec<bool> = (0..count).map(|_| rng.below(2) == 0).collect();
            world
                .air
                .cut(links(count, |from, to| side[from] != side[to]));
            format!("the network is split: {side:?}")
        }
        6 => {
            world
                .air
                .cut(links(count, |from, to| from == one || to == one));
            format!("m{one} is cut off")
        }
        7 => {
            world.air.cut(links(count, |_, to| to == one));
            format!("m{one} hears nobody")
        }
        8 => {
            let cut: Vec<(usize, usize)> = links(count, |_, _| true)
                .filter(|_| rng.below(3) == 0)
                .collect();
            let text = format!("nothing passes {cut:?}");
            world.air.cut(cut);
            text
        }
        9 => {
            let weather = Weather {
                lost: [0, 5, 25][rng.below(3) as usize],
                doubled: [0, 20][rng.below(2) as usize],
                delay_ms_max: [4, 40, 250][rng.below(3) as usize],
            };
            world.air.set(weather);
            format!("{weather:?}")
        }
        10 => {
            if rng.below(2) == 0 {
                site.platter.fill_up();
                format!("m{one} has no room")
            } else {
                for site in world.sites.iter() {
                    site.platter.make_room();
                }
                "there is room everywhere".to_owned()
            }
        }
        _ => {
            world.air.heal();
            "the network is whole".to_owned()
        }
    }
}

fn links(
    count: usize,
    mut is_cut: impl FnMut(usize, usize) -> bool,
) -> impl Iterator<Item = (usize, usize)> {
    let all = (0..count).flat_map(move |from| (0..count).map(move |to| (from, to)));
    all.filter(move |&(from, to)| from != to && is_cut(from, to))
}
