/** Which part of the chart is seen: moved by dragging and wheel, zoomed by pinching, Ctrl and wheel, and keys. */

import type { Rect } from "../lib/layout/place";

const SCALE_MIN = 0.1;
const SCALE_MAX = 3;
/** The smallest scale that fitting chooses: below it no text is read, and the chart is panned instead. */
const FIT_MIN = 0.42;
const FIT_MAX = 1.25;
/** The room that the buttons below the chart need. */
const BUTTONS = 44;
/** How far the pointer has to go for a press to be a drag. */
const DRAG = 4;

export class Viewport {
  x = $state(0);
  y = $state(0);
  scale = $state(1);
  isMoving = $state(false);
  isMeasured = $state(false);
  /** Whether everything is in view, and nobody moved it since. */
  isFitted = false;
  fittedAtMs = 0;
  /** Whether the last press moved the chart, so that its end is no click. */
  wasMoved = false;
  width = $state(0);
  private height = 0;
  private left = 0;
  private top = 0;
  private readonly pointers = new Map<number, { x: number; y: number }>();

  get transform(): string {
    return `translate(${this.x} ${this.y}) scale(${this.scale})`;
  }

  watch(element: Element): () => void {
    const measure = () => {
      const rect = element.getBoundingClientRect();
      [this.width, this.height, this.left, this.top] = [rect.width, rect.height, rect.left, rect.top];
      this.isMeasured = rect.width > 0;
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    const wheel = (event: Event) => this.wheel(event as WheelEvent);
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      observer.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }

  fit(width: number, height: number): void {
    this.isFitted = true;
    this.fittedAtMs = performance.now();
    const room = this.height - BUTTONS;
    const scale = Math.min((this.width - 16) / width, (room - 8) / height);
    this.scale = Math.min(Math.max(scale, FIT_MIN), FIT_MAX);
    const [w, h] = [width * this.scale, height * this.scale];
    this.x = w < this.width ? (this.width - w) / 2 : 8;
    this.y = h < room ? Math.min((room - h) / 2 + 4, room * 0.2) : 8;
  }

  /** Zooms around the middle. */
  zoom(factor: number): void {
    this.zoomAt(factor, this.width / 2, this.height / 2);
  }

  /** Moves as little as needed for a place to be seen. */
  reveal(rect: Rect, margin = 40): void {
    const left = rect.x * this.scale + this.x;
    const top = rect.y * this.scale + this.y;
    const right = left + rect.width * this.scale;
    const bottom = top + rect.height * this.scale;
    if (left < margin) this.x += margin - left;
    else if (right > this.width - margin) this.x -= right - (this.width - margin);
    if (top < margin) this.y += margin - top;
    else if (bottom > this.height - margin) this.y -= bottom - (this.height - margin);
  }

  down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 1) this.wasMoved = false;
  }

  move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    if (!this.wasMoved && Math.hypot(dx, dy) < DRAG) return;
    if (!this.wasMoved) {
      this.wasMoved = true;
      this.isMoving = true;
      this.isFitted = false;
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      if (was > 0) this.zoomAt(is / was, (event.clientX + other.x) / 2 - this.left, (event.clientY + other.y) / 2 - this.top);
    } else {
      this.x += dx;
      this.y += dy;
    }
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  up(event: PointerEvent): void {
    this.pointers.delete(event.pointerId);
    this.isMoving = false;
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      this.zoomAt(Math.exp((-event.deltaY * unit) / 300), event.clientX - this.left, event.clientY - this.top);
      return;
    }
    this.isFitted = false;
    this.x -= (event.shiftKey ? event.deltaY : event.deltaX) * unit;
    this.y -= (event.shiftKey ? 0 : event.deltaY) * unit;
  }

  private zoomAt(factor: number, x: number, y: number): void {
    this.isFitted = false;
    const scale = Math.min(Math.max(this.scale * factor, SCALE_MIN), SCALE_MAX);
    const real = scale / this.scale;
    this.x = x - (x - this.x) * real;
    this.y = y - (y - this.y) * real;
    this.scale = scale;
  }
}
