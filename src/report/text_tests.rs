use super::super::sample;
use super::*;

const AT_80: Style = Style {
    color: false,
    width: 80,
};
