//! What is asked for is so, for every thread that is started afterwards, or it is an error that says what is missing.

use std::thread;

use super::*;

/// Does something in a thread of its own: what is set stays with that thread and its children.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn mine() -> Vec<usize> {
    numbers(&sched_getaffinity(None).unwrap())
}

#[test]
fn cores_hold_for_every_thread_that_is_started_afterwards() {
    let Some(core) = mine().last().copied() else { panic!("no core at all") };
    let config = ScheduleConfig { cores: vec![core], ..ScheduleConfig::default() };
    let of_child = alone(|| {
        config.apply().unwrap();
        alone(mine)
    });
    assert_eq!(of_child, [core]);
    assert!(mine().contains(&core));
}

#[test]
fn a_core_that_this_process_may_not_run_on_is_named_with_those_that_it_may() {
    let config = ScheduleConfig { cores: vec![1023], ..ScheduleConfig::default() };
    let error = alone(|| config.apply()).unwrap_err().to_string();
    assert_eq!(error, format!("schedule.cores names 1023; this process may run on {}", list(&mine())));
}

/// Where the kernel allows it, it is checked that it is so; elsewhere that the error says what is missing.
#[test]
fn the_class_holds_for_every_thread_or_the_error_says_what_is_missing() {
    let config = ScheduleConfig { fifo_priority: 7, ..ScheduleConfig::default() };
    let found = alone(|| {
        config.apply()?;
        let child = alone(fifo_priority);
        let supervising = alone(|| {
            go_before_the_others();
            fifo_priority()
        });
        Ok::<_, ScheduleError>((fifo_priority(), child, supervising))
    });
    match found {
        Ok(found) => assert_eq!(found, (Some(7), Some(7), Some(8))),
        Err(error) => {
            let text = error.to_string();
            let refused = matches!(&error, ScheduleError::Fifo { source, .. } if source.raw_os_error() == Some(1));
            assert!(refused, "{text}");
            assert!(text.starts_with("schedule.fifo_priority is 7, and the kernel refuses SCHED_FIFO"), "{text}");
            assert!(text.contains("wanted 8 or more") && text.contains("CAP_SYS_NICE"), "{text}");
        }
    }
}

#[test]
fn a_thread_without_a_class_of_its_own_stays_where_it_is() {
    let found = alone(|| {
        ScheduleConfig::default().apply().unwrap();
        go_before_the_others();
        (fifo_priority(), mine())
    });
    assert_eq!(found, (None, mine()));
    assert!(in_words().ends_with("; no real-time class"), "{}", in_words());
}

#[test]
fn what_no_kernel_could_do_is_refused_by_key() {
    let of = |cores: &[usize], fifo_priority| ScheduleConfig { cores: cores.into(), fifo_priority }.wrong_value();
    assert_eq!(of(&[0, 1023], 98), None);
    assert_eq!(of(&[1024], 0).map(|(key, found, _)| (key, found)), Some(("cores", "1024".into())));
    assert_eq!(of(&[], 99).map(|(key, found, _)| (key, found)), Some(("fifo_priority", "99".into())));
}

#[test]
fn cores_are_listed_as_runs_and_capabilities_read_from_their_mask() {
    assert_eq!(list(&[0, 1, 2, 3, 6, 8, 9]), "0-3, 6, 8-9");
    assert!(has_capability("Name:\tx\nCapEff:\t0000000000800000\n", CAP_SYS_NICE));
    assert!(!has_capability("CapEff:\tffffffffff7fffff\n", CAP_SYS_NICE) && !has_capability("", CAP_SYS_NICE));
}
