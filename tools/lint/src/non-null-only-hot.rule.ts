import type { Rule } from 'eslint';

/** `value!` hides a claim that nobody checks. Hot typed-array loops may make it, in files whose comments say `@hot`; so may tests. */
export const nonNullOnlyHot: Rule.RuleModule = {
  meta: {
    type: 'suggestion',
    docs: { description: 'allow the non-null assertion in files marked @hot only' },
    schema: [],
    messages: { cold: 'Handle the undefined case (or use `invariant`); `!` is for files marked @hot.' },
  },
  create(context) {
    const isHot = context.sourceCode.getAllComments().some((comment) => comment.value.includes('@hot'));
    if (isHot) return {};
    return {
      TSNonNullExpression: (node: Rule.Node) => { context.report({ node, messageId: 'cold' }); },
    };
  },
};
