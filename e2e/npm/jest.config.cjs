'use strict';
// The integration tests that liveperson-functions-client ships compiled in its
// package, run where they lie.

module.exports = {
  rootDir: `${__dirname}/node_modules/liveperson-functions-client/build/test/integration`,
  testEnvironment: 'node',
  testPathIgnorePatterns: [],
  transform: {},
  haste: { retainAllFiles: true }, // it would look at nothing below node_modules
  setupFilesAfterEnv: [`${__dirname}/matchers.cjs`],
};
