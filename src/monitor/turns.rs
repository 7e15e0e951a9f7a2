//! Whose turn it is on the one network: round robin, the camera that was served last comes last.
//!
//! A camera whose frame waits is passed over at most once by each other one, however many frames they have.

/// The order in which the cameras are asked for a frame.
#[derive(Debug)]
pub(super) struct Turns {
    first: usize,
    cameras: usize,
}

impl Turns {
    pub(super) fn new(cameras: usize) -> Self {
        Self { first: 0, cameras }
    }

    /// The places of all cameras, in the order in which to ask them.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> + use<> {
        (self.first..self.cameras).chain(0..self.first)
    }

    /// The camera at this place has had its turn.
    pub(super) fn served(&mut self, place: usize) {
        self.first = if place + 1 < self.cameras { place + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What happens to the cameras, at random: a frame comes to one, or the network is free for the next.
    fn events(cameras: usize) -> impl Strategy<Value = Vec<Option<usize>>> {
        let arrives = (0..cameras).prop_map(Some);
        proptest::collection::vec(prop_oneof![arrives, Just(None)], 0..300)
    }

    fn next(turns: &mut Turns, waiting: &[bool]) -> Option<usize> {
        let served = turns.order().find(|place| waiting[*place])?;
        turns.served(served);
        Some(served)
    }

    proptest! {
        #[test]
        fn a_waiting_camera_is_passed_over_at_most_once_by_each_other(
            (cameras, events) in (1..9usize).prop_flat_map(|cameras| (Just(cameras), events(cameras)))
        ) {
            let mut turns = Turns::new(cameras);
            let mut waiting = vec![false; cameras];
            // Per waiting camera: how often each other was served since its frame came.
            let mut passed_by = vec![vec![0; cameras]; cameras];
            for event in events {
                match event {
                    Some(place) => waiting[place] = true,
                    None => {
                        let served = next(&mut turns, &waiting);
                        prop_assert_eq!(served.is_some(), waiting.contains(&true), "the network is idle though a frame waits");
                        let Some(served) = served else { continue };
                        waiting[served] = false;
                        passed_by[served].fill(0);
                        for place in (0..cameras).filter(|place| waiting[*place]) {
                            passed_by[place][served] += 1;
                            prop_assert!(passed_by[place][served] <= 1, "{} was served twice before {}", served, place);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn cameras_that_always_have_a_frame_take_turns() {
        let mut turns = Turns::new(3);
        let served: Vec<_> = (0..7).filter_map(|_| next(&mut turns, &[true; 3])).collect();
        assert_eq!(served, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_camera_alone_is_always_next() {
        let mut turns = Turns::new(1);
        assert_eq!([next(&mut turns, &[true]), next(&mut turns, &[true])], [Some(0); 2]);
    }
}
