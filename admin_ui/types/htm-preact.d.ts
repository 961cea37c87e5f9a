import { h, VNode, Component, ComponentChild, createContext } from "preact";
export * from "preact/hooks";
declare function render(tree: ComponentChild, parent: Element): void;
declare const html: (strings: TemplateStringsArray, ...values: any[]) => VNode;
export { h, html, render, Component, createContext };
