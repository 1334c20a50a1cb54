module.exports = (n) => require('left-pad')(String(n), 20, '.');
