//! Turns against the image crate's, masks against points and areas.

use image::imageops;
use image::{GrayImage, Luma};
use proptest::prelude::*;

use super::*;

/// Every rotation with every mirror.
pub(crate) fn every_turn() -> impl Iterator<Item = (Rotation, Mirror)> {
    let rotations = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];
    rotations
        .into_iter()
        .flat_map(|rotation| [Mirror::None, Mirror::Horizontal, Mirror::Vertical].map(|mirror| (rotation, mirror)))
}

fn upright(lying: &GrayImage, rotation: Rotation, mirror: Mirror) -> GrayImage {
    let rotated = match rotation {
        Rotation::None => lying.clone(),
        Rotation::Quarter => imageops::rotate90(lying),
        Rotation::Half => imageops::rotate180(lying),
        Rotation::ThreeQuarters => imageops::rotate270(lying),
    };
    match mirror {
        Mirror::None => rotated,
        Mirror::Horizontal => imageops::flip_horizontal(&rotated),
        Mirror::Vertical => imageops::flip_vertical(&rotated),
    }
}

#[test]
fn walking_a_turned_picture_meets_the_pixels_of_the_upright_one() {
    let lying = GrayImage::from_fn(5, 3, |x, y| Luma([(5 * y + x) as u8]));
    for (rotation, mirror) in every_turn() {
        let wanted = upright(&lying, rotation, mirror);
        let turn = Turn::new(rotation, mirror);
        assert_eq!(turn.swap(wanted.dimensions()), lying.dimensions(), "{rotation:?} {mirror:?}");
        let (width, height) = wanted.dimensions();
        let Walk { first, right, down } = turn.walk((width as usize, height as usize));
        for (x, y, pixel) in wanted.enumerate_pixels() {
            let place = first as isize + x as isize * right + y as isize * down;
            assert_eq!(lying.as_raw()[place as usize], pixel.0[0], "{rotation:?} {mirror:?}: {x}, {y}");
            let centre = [(f64::from(x) + 0.5) / f64::from(width), (f64::from(y) + 0.5) / f64::from(height)];
            let [u, v] = turn.lying(centre);
            assert_eq!(lying.get_pixel((u * 5.0) as u32, (v * 3.0) as u32), pixel, "{rotation:?} {mirror:?}");
        }
    }
}

fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Polygon {
    Polygon(vec![[left, top], [right, top], [right, bottom], [left, bottom]])
}

#[test]
fn a_cell_counts_for_the_share_of_it_that_is_kept() {
    let mask = Mask { keep: vec![rectangle(0.125, 0.25, 1.0, 0.75)], ignore: vec![rectangle(0.5, 0.5, 0.75, 1.0)] };
    let wanted = [[0.0; 4], [0.5, 1.0, 1.0, 1.0], [0.5, 1.0, 0.0, 1.0], [0.0; 4]];
    assert_eq!(mask.coverage(Part::WHOLE, (4, 4)), wanted.as_flattened());
    let right_half = Part { left: 0.5, width: 0.5, ..Part::WHOLE };
    assert_eq!(mask.coverage(right_half, (2, 2)), [0.5, 0.5, 0.0, 0.5]);
}

#[test]
fn without_polygons_everything_counts_and_ignoring_needs_no_keep() {
    assert_eq!(Mask::default().coverage(Part::WHOLE, (3, 2)), [1.0; 6]);
    let mask = Mask { ignore: vec![rectangle(0.0, 0.0, 0.5, 1.0)], ..Mask::default() };
    assert_eq!(mask.coverage(Part::WHOLE, (4, 1)), [0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn overlapping_polygons_are_one_region_and_neighbours_leave_no_gap() {
    let overlapping = vec![rectangle(0.0, 0.0, 0.5, 1.0), rectangle(0.25, 0.0, 0.75, 1.0)];
    let mask = Mask { keep: overlapping, ..Mask::default() };
    assert_eq!(mask.coverage(Part::WHOLE, (4, 1)), [1.0, 1.0, 1.0, 0.0]);
    let mask = Mask { keep: vec![rectangle(0.0, 0.0, 0.3, 1.0), rectangle(0.3, 0.0, 1.0, 1.0)], ..Mask::default() };
    assert!(mask.coverage(Part::WHOLE, (2, 2)).iter().all(|share| (share - 1.0).abs() < 1e-6));
}

fn refusal(view: &str) -> String {
    let view: ViewConfig = toml::from_str(view).unwrap();
    let (key, found, wanted) = view.wrong_value().unwrap();
    format!("{key} is {found}, wanted {wanted}")
}

#[test]
fn polygons_that_cannot_be_are_refused_by_their_place() {
    assert_eq!(
        refusal("ignore = [[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]], [[0.0, 0.0], [1.0, 1.0]]]"),
        "ignore[1] is 2 corners, wanted 3 to 64 corners [x, y]"
    );
    assert_eq!(
        refusal("keep = [[[0.0, 0.0], [640.0, 0.0], [640.0, 480.0]]]"),
        "keep[0] is the corner [640, 0], wanted fractions of the upright picture, 0 to 1"
    );
    assert_eq!(
        refusal("keep = [[[0.0, 0.0], [nan, 0.0], [1.0, 1.0]]]"),
        "keep[0] is the corner [NaN, 0], wanted fractions of the upright picture, 0 to 1"
    );
    assert_eq!(
        refusal("keep = [[[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]]]"),
        "keep and ignore is a mask that leaves 0.5 % of the picture, wanted 1 % or more"
    );
    let many = vec!["[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]"; 17].join(", ");
    assert_eq!(refusal(&format!("ignore = [{many}]")), "ignore is 17 polygons, wanted 16 polygons at most");
}

#[test]
fn a_rotation_that_is_no_quarter_is_refused() {
    let error = toml::from_str::<ViewConfig>("rotate = 45").unwrap_err().to_string();
    assert!(error.contains("rotate = 45, wanted 0, 90, 180 or 270 (degrees, clockwise)"), "{error}");
}

#[test]
fn a_view_is_written_as_it_is_read() {
    let text = "rotate = 270\nmirror = \"vertical\"\nkeep = [[[0.0, 0.0], [0.1, 0.7], [1.0, 0.3]]]\nignore = []\n";
    let view: ViewConfig = toml::from_str(text).unwrap();
    assert_eq!(view.to_string(), "rotate 270, mirror vertical, keep = [[[0.0, 0.0], [0.1, 0.7], [1.0, 0.3]]]");
    assert_eq!(toml::to_string(&view).unwrap(), text);
}

/// Twice the area by the shoelace formula; of a triangle it does not depend on the way around.
fn triangle_area(corners: &[[f64; 2]; 3]) -> f64 {
    let [[ax, ay], [bx, by], [cx, cy]] = corners;
    ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)).abs() / 2.0
}

fn corner() -> impl Strategy<Value = [f64; 2]> {
    [0.0..=1.0, 0.0..=1.0]
}

proptest! {
    #[test]
    fn the_cells_of_a_triangle_add_up_to_its_area(
        corners in [corner(), corner(), corner()],
        (width, height) in (1_usize..40, 1_usize..40),
    ) {
        let mask = Mask { keep: vec![Polygon(corners.to_vec())], ..Mask::default() };
        let coverage = mask.coverage(Part::WHOLE, (width, height));
        let found = coverage.iter().map(|share| f64::from(*share)).sum::<f64>() / coverage.len() as f64;
        // The widths of a triangle along lines of distance d, times d, miss its area by no more than d times its greatest width.
        let bound = 1.0 / (64.0 * height as f64) + 1e-6;
        let area = triangle_area(&corners);
        prop_assert!((found - area).abs() <= bound, "{found}, wanted {area}");
    }

    #[test]
    fn what_is_kept_alone_and_what_is_left_when_it_is_ignored_are_everything(
        polygons in prop::collection::vec(prop::collection::vec(corner(), 3..8), 1..4),
        (width, height) in (1_usize..20, 1_usize..20),
    ) {
        let polygons: Vec<_> = polygons.into_iter().map(Polygon).collect();
        let kept = Mask { keep: polygons.clone(), ..Mask::default() }.coverage(Part::WHOLE, (width, height));
        let left = Mask { ignore: polygons, ..Mask::default() }.coverage(Part::WHOLE, (width, height));
        for (kept, left) in kept.iter().zip(&left) {
            prop_assert!((kept + left - 1.0).abs() < 1e-5, "{kept} + {left}");
            prop_assert!((0.0..=1.0).contains(kept));
        }
    }

    #[test]
    fn a_mask_turned_with_its_picture_covers_the_same_cells(
        corners in prop::collection::vec(corner(), 3..6),
        (rotation, mirror) in prop::sample::select(every_turn().collect::<Vec<_>>()),
        side in 1_usize..12,
    ) {
        let view = ViewConfig { rotate: rotation, mirror, keep: vec![Polygon(corners)], ..ViewConfig::default() };
        let upright = view.mask().coverage(Part::WHOLE, (side, side));
        let lying = view.lying_mask().coverage(Part::WHOLE, (side, side));
        let Walk { first, right, down } = view.turn().walk((side, side));
        for (index, upright) in upright.iter().enumerate() {
            let place = first as isize + (index % side) as isize * right + (index / side) as isize * down;
            // Lines run the other way in a transposed picture. Along one, each of five edges changes what is covered of a cell by its width
            // at most from first line to last, so that the mean over 64 lines is off by 5/64 at most; either way.
            prop_assert!((upright - lying[place as usize]).abs() <= 0.157, "{upright}, {}", lying[place as usize]);
        }
    }
}
