use super::*;

#[test]
fn tensorflows_padding_puts_the_odd_zero_behind() {
    let window = |size, stride| Window { size, stride, padding: Padding::Same };
    assert_eq!(window(3, 2).pads(224), [0, 1]);
    assert_eq!(window(5, 2).pads(56), [1, 2]);
    assert_eq!(window(5, 1).pads(14), [2, 2]);
    assert_eq!(window(3, 2).pads(7), [1, 1]);
    assert_eq!(window(1, 1).pads(7), [0, 0]);
    assert_eq!(Window::centred(7, 2).pads(224), [3, 3]);
}

#[test]
fn every_architecture_has_a_plan_under_its_own_name() {
    for arch in ARCHITECTURES {
        assert_eq!(Plan::of(arch).unwrap().arch, arch);
    }
    let text = Plan::of("resnet19").unwrap_err().to_string();
    assert!(text.contains("\"resnet19\" is unknown; known are resnet20") && text.contains("lite0"), "{text}");
}

#[test]
fn every_layer_takes_what_the_one_before_it_gives() {
    for arch in ARCHITECTURES {
        let plan = Plan::of(arch).unwrap();
        let mut channels = 3;
        for layer in &plan.layers {
            let body = match layer {
                Layer::Conv(conv) => std::slice::from_ref(conv),
                Layer::MaxPool { .. } => &[],
                Layer::Residual(block) => {
                    let last = block.body.last().map_or(0, |conv| conv.to);
                    match &block.skip {
                        Skip::Identity => assert_eq!(last, channels, "{}", block.name),
                        Skip::ZeroPadded { .. } => assert!(last >= channels, "{}", block.name),
                        Skip::Conv(conv) => assert_eq!((conv.from, conv.to), (channels, last), "{}", block.name),
                    }
                    &block.body
                }
            };
            for conv in body {
                assert_eq!(conv.from, channels, "{arch}: {}", conv.conv);
                channels = conv.to;
            }
        }
        assert_eq!(channels, plan.features, "{arch}");
    }
}

#[test]
fn the_resnet_for_32_pixels_differs_by_its_stem_and_the_names_of_its_shortcuts() {
    let (small, large) = (Plan::of("resnet18_32x32").unwrap(), Plan::of("resnet18").unwrap());
    assert!(!small.layers.iter().any(|layer| matches!(layer, Layer::MaxPool { .. })));
    let renamed = |conv: &Conv| {
        let [conv_name, bn] = [&conv.conv, &conv.bn].map(|name| name.replace("shortcut", "downsample"));
        Conv { conv: conv_name, bn, ..conv.clone() }
    };
    let mut expected: Vec<Conv> = large.convs().cloned().collect();
    expected[0].window = Window::centred(3, 1);
    assert_eq!(small.convs().map(renamed).collect::<Vec<_>>(), expected);
    assert!(small.convs().any(|conv| conv.conv == "layer2.0.shortcut.0" && conv.bn == "layer2.0.shortcut.1"));
}
